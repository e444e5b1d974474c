extension ToWorker {
    /// Answers to messages about calls.
    public enum Audit: MessageSubject {
        /// The supervisor has noted that the call of this id begins.
        case begun

        /// See `MessageChoice`.
        public static let kinds: [Audit] = [.begun]

        /// See `MessageChoice`.
        public var number: UInt8 {
            switch self {
            case .begun: 1
            }
        }

        /// See `MessageSubject`.
        public var descriptorCount: Int { 0 }

        /// See `MessageChoice`.
        public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
            switch self {
            case .begun: break
            }
        }
    }
}

extension ToSupervisor {
    /// Messages about calls, for the audit log.
    public enum Audit: MessageSubject {
        /// A call with this request id begins. Nothing is done for it before the answer.
        case begin(AuditCall)
        /// The call with this request id has ended.
        case end(AuditOutcome)

        /// See `MessageChoice`.
        public static let kinds: [Audit] = [.begin(.blank), .end(.blank)]

        /// See `MessageChoice`.
        public var number: UInt8 {
            switch self {
            case .begin: 1
            case .end: 2
            }
        }

        /// See `MessageSubject`.
        public var descriptorCount: Int { 0 }

        /// See `MessageChoice`.
        public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
            switch self {
            case .begin(var call):
                try call.walk(&fields)
                self = .begin(call)
            case .end(var outcome):
                try outcome.walk(&fields)
                self = .end(outcome)
            }
        }
    }
}
