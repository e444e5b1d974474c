/// One line of a table of system calls.
public struct SyscallRule: Sendable {
    let names: [String]
    let condition: Condition
    let otherwise: Otherwise
    let reason: String

    /// A rule for one or more system calls.
    /// - Parameters:
    ///   - names: the names, separated by spaces.
    ///   - reason: what they are needed for.
    public init(
        _ names: String, _ reason: String, when condition: Condition = .always, else otherwise: Otherwise = .kill
    ) {
        self.names = names.split(separator: " ").map(String.init)
        self.condition = condition
        self.otherwise = otherwise
        self.reason = reason
    }
}
