extension ToSupervisor {
    /// What is wrong with the patterns of a policy.
    public enum Patterns: MessageSubject {
        /// This pattern of the policy cannot be used, for this reason.
        case invalid(index: UInt32, reason: String)
        /// Every pattern has been tried, and so many cannot be used, those included that were not told one by one.
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
