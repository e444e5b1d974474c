/// What happens to a call that fails its condition. A syscall that the table lacks ends the process.
public enum Otherwise: Sendable {
    case kill
    /// EACCES, and the process goes on.
    case refuse
    /// EACCES where one of the alternatives holds; else it ends.
    case refuseOnly([[ArgumentTest]])
}
