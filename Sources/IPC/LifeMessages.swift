extension ToWorker {
    /// From a worker's first message to its end.
    public enum Life: MessageSubject {
        /// The first message, with the sealed policy snapshot.
        case setup(WorkerRole)
        /// Stop taking work, stop the remote commands and end within this many milliseconds.
        case drain(milliseconds: UInt32)
        /// A new policy snapshot, for every call that starts from now on.
        case policy
        /// To a worker whose client spoke late: the client has the place now. Serve it.
        case proceed
        /// To such a worker: the client got no place in time. Answer its first request with this error, then end.
        case refuseClient(ClientRefusal)

        /// See `MessageChoice`.
        public static let kinds: [Life] = [
            .setup(.serve), .drain(milliseconds: 0), .policy, .proceed, .refuseClient(.noPlace),
        ]

        /// See `MessageChoice`.
        public var number: UInt8 {
            switch self {
            case .setup: 1
            case .drain: 2
            case .policy: 3
            case .proceed: 4
            case .refuseClient: 5
            }
        }

        /// See `MessageSubject`.
        public var descriptorCount: Int {
            switch self {
            case .setup, .policy: 1
            case .drain, .proceed, .refuseClient: 0
            }
        }

        /// See `MessageChoice`.
        public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
            switch self {
            case .setup(var role):
                try fields.field(&role)
                self = .setup(role)
            case .drain(var milliseconds):
                try fields.field(&milliseconds)
                self = .drain(milliseconds: milliseconds)
            case .policy, .proceed: break
            case .refuseClient(var refusal):
                try fields.field(&refusal)
                self = .refuseClient(refusal)
            }
        }
    }
}

extension ToSupervisor {
    /// Reports on a worker and its client.
    public enum Life: MessageSubject {
        /// The worker is confined, and will read the client's first byte. `landlockABI` is 0 if the kernel has no Landlock.
        case ready(landlockABI: UInt8)
        /// The client has sent bytes, but no whole request, and gives its place to another one that waits. This can only be the
        /// first message after `ready`.
        case clientUnheard
        /// After `clientUnheard`: the client has sent a request now. Nothing is done for it before the answer.
        case clientSpeaks
        /// The client has gone and its place is free. The worker only stops what still runs on hosts.
        case clientGone
        /// The worker ended the conversation itself, for this reason, and stops what still runs on hosts.
        case clientDropped(reason: String)

        /// See `MessageChoice`.
        public static let kinds: [Life] = [
            .ready(landlockABI: 0), .clientGone, .clientDropped(reason: ""), .clientUnheard, .clientSpeaks,
        ]

        /// See `MessageChoice`.
        public var number: UInt8 {
            switch self {
            case .ready: 1
            case .clientGone: 2
            case .clientDropped: 3
            case .clientUnheard: 4
            case .clientSpeaks: 5
            }
        }

        /// See `MessageSubject`.
        public var descriptorCount: Int { 0 }

        /// See `MessageChoice`.
        public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
            switch self {
            case .ready(var landlockABI):
                try fields.field(&landlockABI)
                self = .ready(landlockABI: landlockABI)
            case .clientGone, .clientUnheard, .clientSpeaks: break
            case .clientDropped(var reason):
                try fields.field(&reason)
                self = .clientDropped(reason: reason)
            }
        }
    }
}
