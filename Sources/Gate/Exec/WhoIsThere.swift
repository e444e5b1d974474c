/// Asks who is logged in there. Between two lines that are the nonce and a `=`, it prints a line each of: the user, the name of the
/// login, the home, the login shell, the addresses of the connection, the host's name, the system, the SSH server's process. A shell
/// that prints what it is told prints no such line. What a start-up file prints before may end without a line feed. The nonce is one word, as in every line
/// that `LeftBehind` must find where it hangs.
enum WhoIsThere {
    static func line(_ nonce: String) -> String {
        #"exec /bin/sh -c 'echo; echo "$1="; id -un 2>/dev/null || echo; "#
            + #"for v in "${LOGNAME-}" "${HOME-}" "${SHELL-}" "${SSH_CONNECTION-}"; do printf "%s\n" "$v"; done; "#
            + #"uname -n 2>/dev/null || echo; uname -s 2>/dev/null || echo; \#(ServerKind.read); echo "$p"; echo "$1="' sh "#
            + nonce
    }
}
