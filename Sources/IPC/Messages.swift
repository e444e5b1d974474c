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
    /// Without a client: cancel the forwards that the supervisor names.
    case reap
    /// Say which patterns of the policy cannot be compiled, then end.
    case check
}

/// Supervisor → worker.
public enum ToWorker: IPCMessage {
    /// The first message, with the sealed policy snapshot.
    case setup(WorkerRole)
    /// Stop taking work, stop the remote commands and end within this many milliseconds.
    case drain(milliseconds: UInt32)
    /// A new policy snapshot, for every call that starts from now on.
    case policy
    /// To a worker whose client has spoken late: it has the place, serve it.
    case proceed
    /// To the same: there was no place for its client in time; answer its first request with this error text, then end.
    case refuseClient(reason: String)
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
    /// Have the master listen on this port for the forward of this number.
    case forwardAssigned(forward: UInt32, localPort: UInt16)
    /// The forward is there, since so many seconds after 1970.
    case forwardRunning(forward: UInt32, localPort: UInt16, since: UInt64)
    /// The request is refused or has failed, for this reason.
    case forwardRefused(reason: String)
    /// The forwards that there are.
    case forwards([ForwardEntry])
    /// Have the master cancel this forward, and say so: an answer to a worker that serves, an order to one that reaps.
    case closeForward(forward: UInt32, route: ForwardRoute)
    /// The forward has been cancelled: nothing of ours listens on its port any more.
    case forwardClosed(ForwardEntry)

    /// See `IPCMessage`.
    public var carriesDescriptor: Bool {
        switch self {
        case .setup, .policy, .localOpened, .localCreated: true
        case .drain, .proceed, .refuseClient, .localCommitted, .localRefused, .auditBegun: false
        case .forwardAssigned, .forwardRunning, .forwardRefused, .forwards, .closeForward, .forwardClosed: false
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
            case .reap:
                writer.put(UInt8(2))
            case .check:
                writer.put(UInt8(3))
            }
        case .drain(let milliseconds):
            writer = FrameWriter(tag: 2, requestID: requestID)
            writer.put(milliseconds)
        case .policy:
            writer = FrameWriter(tag: 3, requestID: requestID)
        case .proceed:
            writer = FrameWriter(tag: 8, requestID: requestID)
        case .refuseClient(let reason):
            writer = FrameWriter(tag: 9, requestID: requestID)
            writer.put(reason)
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
        case .forwardAssigned(let forward, let port):
            writer = FrameWriter(tag: 10, requestID: requestID)
            writer.put(forward)
            writer.put(port)
        case .forwardRunning(let forward, let port, let since):
            writer = FrameWriter(tag: 11, requestID: requestID)
            writer.put(forward)
            writer.put(port)
            writer.put(since)
        case .forwardRefused(let reason):
            writer = FrameWriter(tag: 12, requestID: requestID)
            writer.put(reason)
        case .forwards(let entries):
            writer = FrameWriter(tag: 13, requestID: requestID)
            writer.put(entries)
        case .closeForward(let forward, let route):
            writer = FrameWriter(tag: 14, requestID: requestID)
            writer.put(forward)
            writer.put(route)
        case .forwardClosed(let entry):
            writer = FrameWriter(tag: 15, requestID: requestID)
            writer.put([entry])
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
            case 2: message = .setup(.reap)
            case 3: message = .setup(.check)
            default: throw .badValue
            }
        case 2: message = .drain(milliseconds: try reader.take(UInt32.self))
        case 3: message = .policy
        case 8: message = .proceed
        case 9: message = .refuseClient(reason: try reader.takeText())
        case 4: message = .localOpened(size: try reader.take(UInt64.self))
        case 5: message = .localCreated(handle: try reader.take(UInt32.self))
        case 6: message = .localCommitted
        case 7: message = .localRefused(rule: try reader.takeText(), reason: try reader.takeText())
        case 20: message = .auditBegun
        case 10:
            message = .forwardAssigned(forward: try reader.take(UInt32.self), localPort: try reader.take(UInt16.self))
        case 11:
            message = .forwardRunning(
                forward: try reader.take(UInt32.self), localPort: try reader.take(UInt16.self),
                since: try reader.take(UInt64.self))
        case 12: message = .forwardRefused(reason: try reader.takeText())
        case 13: message = .forwards(try reader.takeEntries())
        case 14: message = .closeForward(forward: try reader.take(UInt32.self), route: try reader.takeRoute())
        case 15:
            let entries = try reader.takeEntries()
            guard let entry = entries.first, entries.count == 1 else { throw .badValue }
            message = .forwardClosed(entry)
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
    /// What the client has sent so far holds no whole request: it gives its place to one that waits. Only the first word after
    /// `ready` may be this.
    case clientUnheard
    /// The client of a worker that has said `clientUnheard` has sent a request; nothing of it is done before the answer.
    case clientSpeaks
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
    /// This pattern of the policy cannot be used, for this reason.
    case patternInvalid(index: UInt32, reason: String)
    /// Every pattern has been tried, and so many cannot be used, those included that were not told one by one.
    case patternsChecked(mistakes: UInt32)
    /// A call begins, under this request id; nothing of it is done before the answer.
    case auditBegin(AuditCall)
    /// The call that began under this request id has ended.
    case auditEnd(AuditOutcome)
    /// A forward by way of this host of the config; `localPort` 0 leaves the choice.
    case requestForward(host: String, remoteHost: String, remotePort: UInt16, localPort: UInt16)
    /// The master has said that it listens for this forward. `masterPID` is 0 where it is not known.
    case forwardEstablished(forward: UInt32, masterPID: UInt32)
    /// The master does not listen for this forward.
    case forwardFailed(forward: UInt32, ForwardFailure)
    /// Which forwards are there?
    case listForwards
    /// End a forward: by its number, or where that is 0 by its local port; of this host where one is named.
    case cancelForward(forward: UInt32, localPort: UInt16, host: String)
    /// The master has been asked to cancel this forward, with what `ssh` said; whether it is gone is not known here.
    case forwardCancelled(forward: UInt32, said: String)

    /// See `IPCMessage`.
    public var carriesDescriptor: Bool {
        switch self {
        case .ready, .clientUnheard, .clientSpeaks, .clientGone, .clientDropped: false
        case .openLocal, .createLocal, .commitLocal, .abandonLocal: false
        case .auditBegin, .auditEnd, .patternInvalid, .patternsChecked: false
        case .requestForward, .forwardEstablished, .forwardFailed, .listForwards, .cancelForward, .forwardCancelled:
            false
        }
    }

    /// See `IPCMessage`.
    public func encoded(requestID: UInt32) -> [UInt8] {
        var writer: FrameWriter
        switch self {
        case .ready(let abi):
            writer = FrameWriter(tag: 1, requestID: requestID)
            writer.put(abi)
        case .clientUnheard:
            writer = FrameWriter(tag: 8, requestID: requestID)
        case .clientSpeaks:
            writer = FrameWriter(tag: 9, requestID: requestID)
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
        case .patternInvalid(let index, let reason):
            writer = FrameWriter(tag: 30, requestID: requestID)
            writer.put(index)
            writer.put(reason)
        case .patternsChecked(let mistakes):
            writer = FrameWriter(tag: 31, requestID: requestID)
            writer.put(mistakes)
        case .auditBegin(let call):
            writer = FrameWriter(tag: 20, requestID: requestID)
            writer.put(call)
        case .auditEnd(let outcome):
            writer = FrameWriter(tag: 21, requestID: requestID)
            writer.put(outcome)
        case .requestForward(let host, let remoteHost, let remotePort, let localPort):
            writer = FrameWriter(tag: 10, requestID: requestID)
            writer.put(host)
            writer.put(remoteHost)
            writer.put(remotePort)
            writer.put(localPort)
        case .forwardEstablished(let forward, let masterPID):
            writer = FrameWriter(tag: 11, requestID: requestID)
            writer.put(forward)
            writer.put(masterPID)
        case .forwardFailed(let forward, let failure):
            writer = FrameWriter(tag: 12, requestID: requestID)
            writer.put(forward)
            writer.put(failure.rawValue)
        case .listForwards:
            writer = FrameWriter(tag: 13, requestID: requestID)
        case .cancelForward(let forward, let localPort, let host):
            writer = FrameWriter(tag: 14, requestID: requestID)
            writer.put(forward)
            writer.put(localPort)
            writer.put(host)
        case .forwardCancelled(let forward, let said):
            writer = FrameWriter(tag: 15, requestID: requestID)
            writer.put(forward)
            writer.put(said)
        }
        return writer.bytes
    }

    /// See `IPCMessage`.
    public static func decode(_ packet: ArraySlice<UInt8>) throws(IPCError) -> (message: Self, requestID: UInt32) {
        var reader = try FrameReader(packet)
        let message: Self
        switch reader.tag {
        case 1: message = .ready(landlockABI: try reader.take(UInt8.self))
        case 8: message = .clientUnheard
        case 9: message = .clientSpeaks
        case 2: message = .clientGone
        case 3: message = .clientDropped(reason: try reader.takeText())
        case 4: message = .openLocal(path: try reader.takeText())
        case 5: message = .createLocal(path: try reader.takeText())
        case 6: message = .commitLocal(handle: try reader.take(UInt32.self))
        case 7: message = .abandonLocal(handle: try reader.take(UInt32.self))
        case 30:
            message = .patternInvalid(index: try reader.take(UInt32.self), reason: try reader.takeText())
        case 31: message = .patternsChecked(mistakes: try reader.take(UInt32.self))
        case 20: message = .auditBegin(try reader.takeAuditCall())
        case 21: message = .auditEnd(try reader.takeAuditOutcome())
        case 10:
            message = .requestForward(
                host: try reader.takeText(), remoteHost: try reader.takeText(),
                remotePort: try reader.take(UInt16.self), localPort: try reader.take(UInt16.self))
        case 11:
            message = .forwardEstablished(
                forward: try reader.take(UInt32.self), masterPID: try reader.take(UInt32.self))
        case 12:
            let forward = try reader.take(UInt32.self)
            guard let failure = ForwardFailure(rawValue: try reader.take(UInt8.self)) else { throw .badValue }
            message = .forwardFailed(forward: forward, failure)
        case 13: message = .listForwards
        case 14:
            message = .cancelForward(
                forward: try reader.take(UInt32.self), localPort: try reader.take(UInt16.self),
                host: try reader.takeText())
        case 15:
            message = .forwardCancelled(forward: try reader.take(UInt32.self), said: try reader.takeText())
        default: throw .unknownTag(reader.tag)
        }
        try reader.finish()
        return (message, reader.requestID)
    }
}
