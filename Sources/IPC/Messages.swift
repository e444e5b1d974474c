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
    /// A local file, open for reading, and its size in bytes.
    case localOpened(size: UInt64)
    /// A new local file, open for writing and without a name until it is committed under this handle.
    case localCreated(handle: UInt32)
    /// The new file has its name.
    case localCommitted
    /// The request of this id is refused by this rule, or has failed where that is empty, for this reason.
    case localRefused(rule: String, reason: String)
    /// That the call of this id begins is known.
    case auditBegun

    /// See `IPCMessage`.
    public var carriesDescriptor: Bool {
        switch self {
        case .setup, .policy, .localOpened, .localCreated: true
        case .drain, .localCommitted, .localRefused, .auditBegun: false
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
        case .localOpened(let size):
            writer = FrameWriter(tag: 4, requestID: requestID)
            writer.put(size)
        case .localCreated(let handle):
            writer = FrameWriter(tag: 5, requestID: requestID)
            writer.put(handle)
        case .localCommitted:
            writer = FrameWriter(tag: 6, requestID: requestID)
        case .localRefused(let rule, let reason):
            writer = FrameWriter(tag: 7, requestID: requestID)
            writer.put(rule)
            writer.put(reason)
        case .auditBegun:
            writer = FrameWriter(tag: 20, requestID: requestID)
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
        case 4: message = .localOpened(size: try reader.take(UInt64.self))
        case 5: message = .localCreated(handle: try reader.take(UInt32.self))
        case 6: message = .localCommitted
        case 7: message = .localRefused(rule: try reader.takeText(), reason: try reader.takeText())
        case 20: message = .auditBegun
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
    /// Open this local file for reading: the source of an upload. An absolute path.
    case openLocal(path: String)
    /// Make a new local file: the target of a download. An absolute path.
    case createLocal(path: String)
    /// Give the new file of this handle its name.
    case commitLocal(handle: UInt32)
    /// Drop the new file of this handle.
    case abandonLocal(handle: UInt32)
    /// A call begins, under this request id; nothing of it is done before the answer.
    case auditBegin(AuditCall)
    /// The call that began under this request id has ended.
    case auditEnd(AuditOutcome)

    /// See `IPCMessage`.
    public var carriesDescriptor: Bool {
        switch self {
        case .ready, .clientGone, .clientDropped, .openLocal, .createLocal, .commitLocal, .abandonLocal: false
        case .auditBegin, .auditEnd: false
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
        case .openLocal(let path):
            writer = FrameWriter(tag: 4, requestID: requestID)
            writer.put(path)
        case .createLocal(let path):
            writer = FrameWriter(tag: 5, requestID: requestID)
            writer.put(path)
        case .commitLocal(let handle):
            writer = FrameWriter(tag: 6, requestID: requestID)
            writer.put(handle)
        case .abandonLocal(let handle):
            writer = FrameWriter(tag: 7, requestID: requestID)
            writer.put(handle)
        case .auditBegin(let call):
            writer = FrameWriter(tag: 20, requestID: requestID)
            writer.put(call)
        case .auditEnd(let outcome):
            writer = FrameWriter(tag: 21, requestID: requestID)
            writer.put(outcome)
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
        case 4: message = .openLocal(path: try reader.takeText())
        case 5: message = .createLocal(path: try reader.takeText())
        case 6: message = .commitLocal(handle: try reader.take(UInt32.self))
        case 7: message = .abandonLocal(handle: try reader.take(UInt32.self))
        case 20: message = .auditBegin(try reader.takeAuditCall())
        case 21: message = .auditEnd(try reader.takeAuditOutcome())
        default: throw .unknownTag(reader.tag)
        }
        try reader.finish()
        return (message, reader.requestID)
    }
}
