/// Which SSH server a line runs under.
///
/// dropbear 2022.82 to 2024.85 closes a session whose command it does not have yet when the command of another one ends. It may run
/// the command all the same, and lose its output, or end the whole connection. So sessions there are opened one after the other.
enum ServerKind {
    /// Has the name of the parent process in `p`, where the host has Linux's /proc; else nothing. A login shell that runs a line
    /// of the form `exec …` has given its place to this one, and its parent is the server.
    static let read = #"p=; { read -r p </proc/$PPID/comm; } 2>/dev/null"#
}
