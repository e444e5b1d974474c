extension ToWorker {
    /// Answers to what is asked of forwards.
    public enum Forwards: MessageSubject {
        /// The forward is there, since this time in seconds after 1970.
        case running(forward: UInt32, localPort: UInt16, since: UInt64)
        /// The request is refused or has failed, for this reason.
        case refused(ForwardRefusal)
        /// The forwards that there are.
        case list([ForwardEntry])
        /// The forward has been cancelled: its listener is gone.
        case closed(ForwardEntry)

        /// See `MessageChoice`.
        public static let kinds: [Forwards] = [
            .running(forward: 0, localPort: 0, since: 0), .refused(.stopping), .list([]), .closed(.blank),
        ]

        /// See `MessageChoice`.
        public var number: UInt8 {
            switch self {
            case .running: 1
            case .refused: 2
            case .list: 3
            case .closed: 4
            }
        }

        /// See `MessageSubject`.
        public var descriptorCount: Int { 0 }

        /// See `MessageChoice`.
        public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
            switch self {
            case .running(var forward, var localPort, var since):
                try fields.field(&forward)
                try fields.field(&localPort)
                try fields.field(&since)
                self = .running(forward: forward, localPort: localPort, since: since)
            case .refused(var refusal):
                try fields.field(&refusal)
                self = .refused(refusal)
            case .list(var entries):
                try fields.field(&entries, limit: ForwardEntry.maximumCount, blank: .blank) {
                    (entry, fields) throws(IPCError) in try entry.walk(&fields)
                }
                self = .list(entries)
            case .closed(var entry):
                try entry.walk(&fields)
                self = .closed(entry)
            }
        }
    }
}

extension ToSupervisor {
    /// What workers want of forwards. What becomes of one is not theirs to say: a gate sees the master's answer, and the supervisor
    /// who listens.
    public enum Forwards: MessageSubject {
        /// Asks for a forward through this host of the config, for the call with this number, which is open. With `localPort` 0
        /// the supervisor chooses the port.
        case request(host: String, target: ForwardTarget, localPort: UInt16, call: UInt32 = 0)
        /// Asks which forwards there are.
        case list
        /// Ends a forward, by its number or, if that is 0, by its local port. If a host is named, it must be that of the forward.
        /// What closes a port needs no open call; `call` is for the audit log.
        case cancel(forward: UInt32, localPort: UInt16, host: String, call: UInt32 = 0)

        /// See `MessageChoice`.
        public static let kinds: [Forwards] = [
            .request(host: "", target: .blank, localPort: 0), .list,
            .cancel(forward: 0, localPort: 0, host: ""),
        ]

        /// See `MessageChoice`.
        public var number: UInt8 {
            switch self {
            case .request: 1
            case .list: 2
            case .cancel: 3
            }
        }

        /// See `MessageSubject`.
        public var descriptorCount: Int { 0 }

        /// See `MessageChoice`.
        public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
            switch self {
            case .request(var host, var target, var localPort, var call):
                try fields.field(&host)
                try fields.field(&target)
                try fields.field(&localPort)
                try fields.field(&call)
                self = .request(host: host, target: target, localPort: localPort, call: call)
            case .list: break
            case .cancel(var forward, var localPort, var host, var call):
                try fields.field(&forward)
                try fields.field(&localPort)
                try fields.field(&host)
                try fields.field(&call)
                self = .cancel(forward: forward, localPort: localPort, host: host, call: call)
            }
        }
    }
}
