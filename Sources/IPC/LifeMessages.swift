extension ToWorker {
    /// From a worker's first message to its end.
    public enum Life: MessageSubject {
        /// The first message, with the sealed policy snapshot.
        case setup(WorkerRole)
        /// Stop taking work, stop the remote commands and end within this many milliseconds.
        case drain(milliseconds: UInt32)
        /// A new policy snapshot, for every call that starts from now on.
        case policy
        /// The client has the place. The descriptor is the channel to the gate, without which no call is done.
        case proceed
        /// The client is not served: it got no place in time, or its gate could not be started. Answer with this error what it has
        /// asked, then end.
        case refuseClient(ClientRefusal)
        /// The client is in line for the place. Answer its requests, but hold its calls.
        case wait
        /// Another client has the place: the call that waited, by its number in `callWaited`, is refused.
        case refuseCall(ClientRefusal)

        /// See `MessageChoice`.
        public static let kinds: [Life] = [
            .setup(.serve), .drain(milliseconds: 0), .policy, .proceed, .refuseClient(.noPlace), .wait,
            .refuseCall(.noPlace),
        ]

        /// See `MessageChoice`.
        public var number: UInt8 {
            switch self {
            case .setup: 1
            case .drain: 2
            case .policy: 3
            case .proceed: 4
            case .refuseClient: 5
            case .wait: 6
            case .refuseCall: 7
            }
        }

        /// See `MessageSubject`.
        public var descriptorCount: Int {
            switch self {
            case .setup, .policy, .proceed: 1
            case .drain, .refuseClient, .wait, .refuseCall: 0
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
            case .policy, .proceed, .wait: break
            case .refuseClient(var refusal):
                try fields.field(&refusal)
                self = .refuseClient(refusal)
            case .refuseCall(var refusal):
                try fields.field(&refusal)
                self = .refuseCall(refusal)
            }
        }
    }
}

extension ToSupervisor {
    /// Reports on a worker and its client.
    public enum Life: MessageSubject {
        /// The worker is confined, and will read the client's first byte. `landlockABI` is 0 if the kernel has no Landlock.
        case ready(landlockABI: UInt8)
        /// The client has sent bytes, but no whole request: it is not in line for the place. This can only be the first message
        /// after `ready`.
        case clientUnheard
        /// The client has sent a whole request, after `ready` or after `clientUnheard`. Nothing is done for it before the answer,
        /// which is `proceed`, `wait` or `refuseClient`.
        case clientSpeaks
        /// What the client calls itself. It is said once, and is the client's word.
        case clientNamed(String)
        /// A call of a client that is in line, with this number, has waited as long as it may. The answer says who is in the way.
        case callWaited
        /// The client has gone and its place is free. The worker only stops what still runs on hosts.
        case clientGone
        /// The worker ended the conversation itself, for this reason, and stops what still runs on hosts.
        case clientDropped(reason: String)

        /// See `MessageChoice`.
        public static let kinds: [Life] = [
            .ready(landlockABI: 0), .clientGone, .clientDropped(reason: ""), .clientUnheard, .clientSpeaks,
            .clientNamed(""), .callWaited,
        ]

        /// How many bytes of a client's name are told.
        public static let maximumName = 100

        /// See `MessageChoice`.
        public var number: UInt8 {
            switch self {
            case .ready: 1
            case .clientGone: 2
            case .clientDropped: 3
            case .clientUnheard: 4
            case .clientSpeaks: 5
            case .clientNamed: 6
            case .callWaited: 7
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
            case .clientGone, .clientUnheard, .clientSpeaks, .callWaited: break
            case .clientDropped(var reason):
                try fields.field(&reason)
                self = .clientDropped(reason: reason)
            case .clientNamed(var name):
                try fields.field(&name, limit: Self.maximumName)
                self = .clientNamed(name)
            }
        }
    }
}
