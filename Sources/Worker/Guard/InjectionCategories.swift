/// What the injection guard searches for, as a set. `names` are the words that stand in `_injection_warning`.
public struct InjectionCategories: OptionSet, Hashable, Sendable {
    /// One bit for each category.
    public let rawValue: UInt8

    /// A set of categories.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Markup of tool calls and their results.
    public static let xmlToolTags = InjectionCategories(rawValue: 1)
    /// Markup that claims to speak for the system, the operator or a turn of the conversation.
    public static let authorityTags = InjectionCategories(rawValue: 2)
    /// "Ignore all previous instructions" and similar sentences.
    public static let instructionOverride = InjectionCategories(rawValue: 4)
    /// "You are now …" and similar sentences.
    public static let roleHijacking = InjectionCategories(rawValue: 8)
    /// What a pattern of the config matches.
    public static let custom = InjectionCategories(rawValue: 16)
    /// Characters that a person does not see and a model reads.
    public static let invisibleUnicode = InjectionCategories(rawValue: 32)
    /// Sequences that make a terminal do something other than colour.
    public static let terminalEscapes = InjectionCategories(rawValue: 64)
    /// The text could not be searched for the patterns: the memory that they may take did not suffice.
    public static let notSearched = InjectionCategories(rawValue: 128)

    private static let all: [(InjectionCategories, String)] = [
        (.xmlToolTags, "xml_tool_tags"), (.authorityTags, "authority_tags"),
        (.instructionOverride, "instruction_override"), (.roleHijacking, "role_hijacking"), (.custom, "custom"),
        (.invisibleUnicode, "invisible_unicode"), (.terminalEscapes, "terminal_escapes"),
        (.notSearched, "not_searched"),
    ]

    /// The names of the categories in this set.
    public var names: [String] { Self.all.filter { contains($0.0) }.map(\.1) }
}
