/// Says that the policy does not allow a call: which rule refuses it, on which host, and what would allow it.
public struct Refusal: Error, Equatable, Sendable, CustomStringConvertible {
    /// A sentence for the model and the log.
    public let description: String
    /// The rule that refuses, as the audit log names it.
    public let rule: String

    init(description: String, rule: String) {
        self.description = description
        self.rule = rule
    }

    /// The refusal of a tool whose capability is off on this host but on for another one.
    public init(host: String, capability: String) {
        self.init(
            description: "hosts.\(host).capabilities.\(capability) is false: this tool is switched off on \"\(host)\". "
                + "Use another host, or ask the user to set hosts.\(host).capabilities.\(capability) to true.",
            rule: "capability")
    }
}
