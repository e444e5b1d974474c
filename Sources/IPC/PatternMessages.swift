extension ToSupervisor {
    /// Reports on the patterns of a policy.
    public enum Patterns: MessageSubject {
        /// The pattern with this index cannot be used, for this reason.
        case invalid(index: UInt32, reason: String)
        /// Every pattern was tried, and this many cannot be used. Those that were reported one by one are included.
        case checked(mistakes: UInt32)

        /// See `MessageChoice`.
        public static let kinds: [Patterns] = [.invalid(index: 0, reason: ""), .checked(mistakes: 0)]

        /// See `MessageChoice`.
        public var number: UInt8 {
            switch self {
            case .invalid: 1
            case .checked: 2
            }
        }

        /// See `MessageSubject`.
        public var descriptorCount: Int { 0 }

        /// See `MessageChoice`.
        public mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
            switch self {
            case .invalid(var index, var reason):
                try fields.field(&index)
                try fields.field(&reason)
                self = .invalid(index: index, reason: reason)
            case .checked(var mistakes):
                try fields.field(&mistakes)
                self = .checked(mistakes: mistakes)
            }
        }
    }
}
