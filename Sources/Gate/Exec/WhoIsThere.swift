/// Asks who is logged in there. It prints the nonce, a line each of: the user, the name of the login, the home, the login shell, the
/// addresses of the connection, the host's name, the system; and the nonce again. The line has the nonce in two halves, so that a
/// shell which prints what it is told does not print the nonce.
enum WhoIsThere {
    static func line(_ nonce: String) -> String {
        let half = nonce.index(nonce.startIndex, offsetBy: nonce.count / 2)
        let words = "\(nonce[..<half]) \(nonce[half...])"
        return #"exec /bin/sh -c 'echo "$1$2"; id -un 2>/dev/null || echo; "#
            + #"for v in "${LOGNAME-}" "${HOME-}" "${SHELL-}" "${SSH_CONNECTION-}"; do printf "%s\n" "$v"; done; "#
            + #"uname -n 2>/dev/null || echo; uname -s 2>/dev/null || echo; echo "$1$2"' sh "# + words
    }
}
