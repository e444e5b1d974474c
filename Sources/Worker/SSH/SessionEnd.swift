/// How a session that stayed open ended.
public struct SessionEnd: Equatable, Sendable {
    /// How its `ssh` ended.
    public let process: ChildEnd
    /// What `ssh` and the host wrote to standard error, as one line.
    public let said: String
    /// The path of that `ssh`.
    public let program: String

    /// Joins the lines of `said` by semicolons.
    public init(_ process: ChildEnd, said: String = "", program: String = "ssh") {
        self.program = program
        self.process = process
        self.said = said.split(whereSeparator: \.isNewline).joined(separator: "; ")
    }

    /// What was seen, in words for a person.
    public var text: String { said.isEmpty ? "its session \(process)" : said }
}
