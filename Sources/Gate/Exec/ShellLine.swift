public import IPC

/// The lines that hosts run for files over a shell.
public enum ShellLine {
    /// The line for the login shell; nil where the session's nonce is none, or its path is none that a host could have.
    public static func of(_ session: ShellSession) -> String? {
        switch session {
        case .requests: return "exec /bin/sh -s"
        case .content(let nonce, let path, let offset):
            guard Nonce.isOne(nonce), !path.isEmpty, !path.contains(0) else { return nil }
            return content(nonce, path, offset)
        }
    }

    /// It prints the nonce when it reads its standard input, and not a start-up file. When all of it is written it prints the nonce
    /// and `0`, else the nonce, `1` and what the system said. The line has the nonce in two halves, so that a shell which prints
    /// what it runs does not print the nonce.
    private static func content(_ nonce: String, _ path: [UInt8], _ offset: UInt64) -> String {
        let script =
            offset == 0
            ? #"exec 3<>"$f" && cat >&3"#
            : #"[ "$(($(wc -c <"$f")))" = \#(offset) ] || { echo "its size has changed" >&2; exit 1; }; cat >>"$f""#
        let half = nonce.index(nonce.startIndex, offsetBy: nonce.count / 2)
        return
            #"exec /bin/sh -c '{ set +xv; } 2>/dev/null; LC_ALL=C; export LC_ALL; f=$(printf %bx "$1"); f=${f%x}; "#
            + #"printf %s%s \#(nonce[..<half]) \#(nonce[half...]); if m=$( ( [ -f "$f" ] || { echo "No such file" >&2; exit 1; }; \#(script)) 2>&1 ); "#
            + #"then m=0; else m="1$m"; fi; printf %s%s%s \#(nonce[..<half]) \#(nonce[half...]) "$m"' sh "#
            + ShellWord.encoded(path)
    }
}
