/// A call that the policy does not allow: which rule, where, and what would allow it.
public struct Refusal: Error, Equatable, Sendable, CustomStringConvertible {
    /// A sentence for the model and the log.
    public let description: String

    init(description: String) {
        self.description = description
    }

    /// The refusal of a tool whose capability is off on this host.
    public init(host: String, capability: String) {
        description = "hosts.\(host).capabilities.\(capability) is off: this tool cannot be used on \"\(host)\"."
    }
}
