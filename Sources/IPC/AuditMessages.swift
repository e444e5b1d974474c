extension ToWorker {
    /// Answers to what is said of calls.
    public enum Audit: MessageSubject {
        /// The supervisor knows that the call of this id begins.
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
    /// What calls there are, for the audit log.
    public enum Audit: MessageSubject {
        /// A call begins, under this request id; nothing of it is done before the answer.
        case begin(AuditCall)
        /// The call that began under this request id has ended.
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
