public import IPC

/// The line of a command that begins only where the user there is the one whom the config names.
enum LoginGuard {
    /// Its arguments are the user's name, encoded, the nonce, and the command. `id -un` may have another name of the same uid, so the
    /// name that the login had counts as well. Where the host tells neither, the command begins: nothing shows that the user is another one.
    ///
    /// A session of dropbear(8) is told by a mark, see `ServerKind`.
    private static let script = [
        #"u=$(printf %bx "$0"); u=${u%x}; i=$(id -un 2>/dev/null); n=$1; shift"#,
        #"case $u in "$i"|"${LOGNAME-}") ;; *) [ -z "$i${LOGNAME-}" ] || exit \#(LoginCheck.otherUser);; esac"#,
        ServerKind.read,
        #"case $p in dropbear) printf "\036%s=\n" "$n"; printf "\036%s=\n" "$n" >&2;; esac; exec "$@""#,
    ].joined(separator: "; ")

    /// - Parameter line: of `Observer`, which begins with `exec`.
    static func line(_ line: String, user: String, nonce: String) -> String {
        "exec /bin/sh -c '\(script)' \(ShellWord.encoded(user)) \(nonce) " + line.dropFirst("exec ".count)
    }
}

extension Observer {
    /// The line for a command that is to begin only for the host's user, see `LoginCheck`.
    public static func guardedLine(for command: GateCommand, on host: PolicySnapshot.Host) -> String {
        LoginGuard.line(line(for: command, on: host), user: host.master.user, nonce: command.nonce)
    }
}
