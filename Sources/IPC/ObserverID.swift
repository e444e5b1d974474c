/// A command's observer on its host: which process it is, and what its arguments hold, so that no later process is taken for it.
public struct ObserverID: Hashable, Sendable {
    /// The byte that every mark of an observer begins with; the nonce follows.
    public static let separator: UInt8 = 0o36

    /// Its process id, as it told.
    public var processID: UInt32
    /// The nonce of its command.
    public var nonce: String

    /// An observer.
    public init(processID: UInt32, nonce: String) {
        self.processID = processID
        self.nonce = nonce
    }

    /// Whether it can be one: 0 and 1 would address other processes than a command's, and Linux has no larger number than
    /// 2²² for one (PID_MAX_LIMIT, proc(5)).
    public var isPossible: Bool { (2...(1 << 22)).contains(processID) && Nonce.isOne(nonce) }

    /// Walks over its fields.
    mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        try fields.field(&processID)
        try fields.field(&nonce, limit: Nonce.maximumSize)
    }
}
