extension ToWorker {
    /// Answers to requests for local files, and messages about file brokers.
    public enum Files: MessageSubject {
        /// A file broker with this number works for this worker from now on. Its answers come over the channel that this message
        /// carries.
        case broker(UInt32)
        /// The answer to the request of this id is in the channel of this broker. `handle` is that of a new file, else 0. If the
        /// worker does not get the file, or no longer wants it, it abandons the handle.
        case answered(broker: UInt32, handle: UInt32)
        /// The request of this id is refused or has failed.
        case failed(LocalFailure)
        /// The broker with this number sends no more answers.
        case brokerEnded(UInt32)

        /// See `MessageSubject`.
        public var descriptorCount: Int {
            switch self {
            case .broker: 1
            case .answered, .failed, .brokerEnded: 0
            }
        }

        /// See `MessageChoice`.
        public static let kinds: [Files] = [
            .broker(0), .answered(broker: 0, handle: 0), .failed(.closed), .brokerEnded(0),
        ]

        /// See `MessageChoice`.
        public var number: UInt8 {
            switch self {
            case .broker: 1
            case .answered: 2
            case .failed: 3
            case .brokerEnded: 4
            }
        }

        /// See `MessageChoice`.
        public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
            switch self {
            case .broker(var number):
                try fields.field(&number)
                self = .broker(number)
            case .answered(var broker, var handle):
                try fields.field(&broker)
                try fields.field(&handle)
                self = .answered(broker: broker, handle: handle)
            case .failed(var failure):
                try fields.field(&failure)
                self = .failed(failure)
            case .brokerEnded(var number):
                try fields.field(&number)
                self = .brokerEnded(number)
            }
        }
    }
}

extension ToSupervisor {
    /// Requests for local files.
    public enum Files: MessageSubject {
        /// Open the local file at this absolute path for reading, as the source of an upload.
        case open(path: String)
        /// Make a new local file for this absolute path, as the target of a download.
        case create(path: String)
        /// Give the new file of this handle its name and, where no file has that name yet, these permission bits less the user's
        /// umask. A file that it replaces passes its own on.
        case commit(handle: UInt32, mode: UInt16)
        /// Drop the new file of this handle.
        case abandon(handle: UInt32)

        /// See `MessageChoice`.
        public static let kinds: [Files] = [
            .open(path: ""), .create(path: ""), .commit(handle: 0, mode: 0), .abandon(handle: 0),
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
        public var descriptorCount: Int { 0 }

        /// See `MessageChoice`.
        public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
            switch self {
            case .open(var path):
                try fields.field(&path, limit: Frame.maximumPath)
                self = .open(path: path)
            case .create(var path):
                try fields.field(&path, limit: Frame.maximumPath)
                self = .create(path: path)
            case .commit(var handle, var mode):
                try fields.field(&handle)
                try fields.mode(&mode)
                self = .commit(handle: handle, mode: mode)
            case .abandon(var handle):
                try fields.field(&handle)
                self = .abandon(handle: handle)
            }
        }
    }
}
