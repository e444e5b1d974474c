/// A simple command: what a shell runs as one program or builtin. A `for` counts as a command that assigns its
/// variable.
struct ShellCommand: Equatable, Sendable {
    var assignments: [Word] = []
    var words: [Word] = []
    var redirections: [Redirection] = []
    /// Index of the command whose output is piped into this one.
    var source: Int?
    /// Whether it stands after `)`, `}`, `done`, `fi` or `esac`: its redirections are those of the group.
    var isTail = false

    var isEmpty: Bool { assignments.isEmpty && words.isEmpty && redirections.isEmpty }
    /// The assignments and words, for messages.
    var text: String {
        (assignments + words).map(\.text).joined(separator: " ")
    }
}
