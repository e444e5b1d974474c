/// Ends what lines that were given up have left on the host: login shells, and what their start-up files wait for.
enum LeftBehind {
    /// Arguments: the nonces, each in two halves, so that nothing here has one in its own arguments but grep(1), which has ended
    /// by then. Such a shell leads a process group, unless the host gives commands none of their own.
    private static let script = [
        #"t="#,
        #"while [ $# -gt 1 ]; do for f in $(grep -lF -e "$1$2" /proc/[0-9]*/cmdline 2>/dev/null);"#
            + #" do p=${f#/proc/}; t="$t ${p%/cmdline}"; done; shift 2; done"#,
        #"k() { for p in $t; do kill -s "$1" -- "-$p" 2>/dev/null || kill -s "$1" "$p" 2>/dev/null; done; }"#,
        #"[ -z "$t" ] || { k TERM; sleep 2; k KILL; }; exit 0"#,
    ].joined(separator: "; ")

    static func line(_ nonces: [String]) -> String {
        let halves = nonces.flatMap { nonce -> [Substring] in
            let half = nonce.index(nonce.startIndex, offsetBy: nonce.count / 2)
            return [nonce[..<half], nonce[half...]]
        }
        return "exec /bin/sh -c '\(script)' sh \(halves.joined(separator: " "))"
    }
}
