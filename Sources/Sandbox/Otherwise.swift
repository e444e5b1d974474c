/// What happens to a system call that fails its condition. One that is not in the table ends the process.
public enum Otherwise: Sendable {
    case kill
    /// The call fails with EACCES.
    case refuse
    /// The call fails with EACCES if one of these alternatives holds. Else the process ends.
    case refuseOnly([[ArgumentTest]])
}
