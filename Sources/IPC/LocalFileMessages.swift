extension ToWorker {
    /// Answers to requests for local files.
    public enum Files: MessageSubject {
        /// A local file, open for reading, and its size in bytes.
        case opened(size: UInt64)
        /// A new local file, open for writing and without a name until it is committed under this handle.
        case created(handle: UInt32)
        /// The new file has its name.
        case committed
        /// The request is refused by this rule, or has failed where that is empty, for this reason.
        case refused(rule: String, reason: String)

        /// See `MessageChoice`.
        public static let kinds: [Files] = [
            .opened(size: 0), .created(handle: 0), .committed, .refused(rule: "", reason: ""),
        ]

        /// See `MessageChoice`.
        public var number: UInt8 {
            switch self {
            case .opened: 1
            case .created: 2
            case .committed: 3
            case .refused: 4
            }
        }

        /// See `MessageSubject`.
        public var carriesDescriptor: Bool {
            switch self {
            case .opened, .created: true
            case .committed, .refused: false
            }
        }

        /// See `MessageChoice`.
        public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
            switch self {
            case .opened(var size):
                try fields.field(&size)
                self = .opened(size: size)
            case .created(var handle):
                try fields.field(&handle)
                self = .created(handle: handle)
            case .committed: break
            case .refused(var rule, var reason):
                try fields.field(&rule)
                try fields.field(&reason)
                self = .refused(rule: rule, reason: reason)
            }
        }
    }
}

extension ToSupervisor {
    /// Requests for local files.
    public enum Files: MessageSubject {
        /// Open this local file for reading: the source of an upload. An absolute path.
        case open(path: String)
        /// Make a new local file: the target of a download. An absolute path.
        case create(path: String)
        /// Give the new file of this handle its name.
        case commit(handle: UInt32)
        /// Drop the new file of this handle.
        case abandon(handle: UInt32)

        /// See `MessageChoice`.
        public static let kinds: [Files] = [
            .open(path: ""), .create(path: ""), .commit(handle: 0), .abandon(handle: 0),
        ]

        /// See `MessageChoice`.
        public var number: UInt8 {
            switch self {
            case .open: 1
            case .create: 2
            case .commit: 3
            case .abandon: 4
            }
        }

        /// See `MessageSubject`.
        public var carriesDescriptor: Bool { false }

        /// See `MessageChoice`.
        public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
            switch self {
            case .open(var path):
                try fields.field(&path)
                self = .open(path: path)
            case .create(var path):
                try fields.field(&path)
                self = .create(path: path)
            case .commit(var handle):
                try fields.field(&handle)
                self = .commit(handle: handle)
            case .abandon(var handle):
                try fields.field(&handle)
                self = .abandon(handle: handle)
            }
        }
    }
}
