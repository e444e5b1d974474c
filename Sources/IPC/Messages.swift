/// A message of one direction: a closed set, each with its tag, its fields and whether a descriptor travels with it.
public protocol IPCMessage: Equatable, Sendable {
    /// Whether exactly one descriptor accompanies this message.
    var carriesDescriptor: Bool { get }
    /// The packet for this message.
    func encoded(requestID: UInt32) -> [UInt8]
    /// Reads a packet, all of it. Throws on anything that `encoded` would not have written.
    static func decode(_ packet: ArraySlice<UInt8>) throws(IPCError) -> (message: Self, requestID: UInt32)
}

/// What a worker is started for.
public enum WorkerRole: Equatable, Sendable {
    /// Serve MCP on the client descriptor until the client goes.
    case serve
    /// Answer the client's first request with this error text, then end.
    case refuse(reason: String)
}

/// Supervisor → worker.
public enum ToWorker: IPCMessage {
    /// The first message, with the sealed policy snapshot.
    case setup(WorkerRole)
    /// Stop taking work, stop the remote commands and end within this many milliseconds.
    case drain(milliseconds: UInt32)
    /// A new policy snapshot, for every call that starts from now on.
    case policy

    /// See `IPCMessage`.
    public var carriesDescriptor: Bool {
        switch self {
        case .setup, .policy: true
        case .drain: false
        }
    }

    /// See `IPCMessage`.
    public func encoded(requestID: UInt32) -> [UInt8] {
        var writer: FrameWriter
        switch self {
        case .setup(let role):
            writer = FrameWriter(tag: 1, requestID: requestID)
            switch role {
            case .serve:
                writer.put(UInt8(0))
            case .refuse(let reason):
                writer.put(UInt8(1))
                writer.put(reason)
            }
        case .drain(let milliseconds):
            writer = FrameWriter(tag: 2, requestID: requestID)
            writer.put(milliseconds)
        case .policy:
            writer = FrameWriter(tag: 3, requestID: requestID)
        }
        return writer.bytes
    }

    /// See `IPCMessage`.
    public static func decode(_ packet: ArraySlice<UInt8>) throws(IPCError) -> (message: Self, requestID: UInt32) {
        var reader = try FrameReader(packet)
        let message: Self
        switch reader.tag {
        case 1:
            switch try reader.take(UInt8.self) {
            case 0: message = .setup(.serve)
            case 1: message = .setup(.refuse(reason: try reader.takeText()))
            default: throw .badValue
            }
        case 2: message = .drain(milliseconds: try reader.take(UInt32.self))
        case 3: message = .policy
        default: throw .unknownTag(reader.tag)
        }
        try reader.finish()
        return (message, reader.requestID)
    }
}

/// Worker → supervisor.
public enum ToSupervisor: IPCMessage {
    /// The worker is confined and about to read its first client byte. `landlockABI` is 0 where the kernel has none.
    case ready(landlockABI: UInt8)
    /// The client has gone; the worker only stops what still runs remotely, and needs its place no more.
    case clientGone
    /// The worker ended the conversation itself, for this reason; what still runs remotely is being stopped.
    case clientDropped(reason: String)

    /// See `IPCMessage`.
    public var carriesDescriptor: Bool {
        switch self {
        case .ready, .clientGone, .clientDropped: false
        }
    }

    /// See `IPCMessage`.
    public func encoded(requestID: UInt32) -> [UInt8] {
        var writer: FrameWriter
        switch self {
        case .ready(let abi):
            writer = FrameWriter(tag: 1, requestID: requestID)
            writer.put(abi)
        case .clientGone:
            writer = FrameWriter(tag: 2, requestID: requestID)
        case .clientDropped(let reason):
            writer = FrameWriter(tag: 3, requestID: requestID)
            writer.put(reason)
        }
        return writer.bytes
    }

    /// See `IPCMessage`.
    public static func decode(_ packet: ArraySlice<UInt8>) throws(IPCError) -> (message: Self, requestID: UInt32) {
        var reader = try FrameReader(packet)
        let message: Self
        switch reader.tag {
        case 1: message = .ready(landlockABI: try reader.take(UInt8.self))
        case 2: message = .clientGone
        case 3: message = .clientDropped(reason: try reader.takeText())
        default: throw .unknownTag(reader.tag)
        }
        try reader.finish()
        return (message, reader.requestID)
    }
}
