/// How sure we are that nothing of a stopped command runs any more.
public enum StopVerdict: String, Sendable {
    /// Every process of it was seen to be gone.
    case confirmed
    /// The signals were sent, but something was still there afterwards (another user's process, uninterruptible sleep).
    case signalled
    /// The host could not be asked, or the command had not told its process id.
    case unknown
}

/// The script that ends commands' processes on the remote host, run over a session of its own.
enum TreeStop {
    /// Arguments: the observers' process ids; answers a line `PID VERDICT` for each. A process belongs to a command when it
    /// is in its session or process group, or descends from one that is (or was, when last seen). What forked twice into a
    /// session of its own has left, on purpose, and is not found. TERM, two seconds, then KILL until none is left.
    private static let script = [
        // One line a process: id, parent, group, session, state. Without /proc there is ps, which lacks the session.
        #"l() { if [ -r /proc/self/stat ]; then for f in /proc/[0-9]*/stat; do"#
            // A process may put newlines and parentheses into its name; the fields follow the last one.
            + #" x=; { while read -r y; do x="$x $y"; done <"$f"; } 2>/dev/null; case $x in *") "*) ;; *) continue;; esac;"#
            + #" q=${f#/proc/}; set -- ${x##*\) };"#
            + #" echo "${q%/stat},$2,$3,$4,$1"; done;"#
            + #" else ps -A -o pid= -o ppid= -o pgid= -o stat= | while read -r i j g z; do echo "$i,$j,$g,$g,$z"; done; fi; }"#,
        // Leaves the living processes of the command in t, those but the observer's own two in u, and remembers t in k.
        #"h() { a=$(l); t=; u=; o=-; while [ "$t" != "$o" ]; do o=$t; for x in $a; do"#
            + #" i=${x%%,*} x=${x#*,}; j=${x%%,*} x=${x#*,}; g=${x%%,*} x=${x#*,}; e=${x%%,*};"#
            + #" case ${x#*,} in Z*) continue;; esac;"#
            + #" case " $t " in *" $i "*) continue;; esac;"#
            + #" case " $k $t " in *" $i "*|*" $j "*) ;; *) [ "$g" = "$p" ] || [ "$e" = "$p" ] || continue;; esac;"#
            + #" t="$t $i"; [ "$i" = "$p" ] || [ "$j" = "$p" ] || u="$u $i"; done; done; k="$k $t"; }"#,
        #"w() { h; [ -n "$t" ] || { echo "$p confirmed"; exit 0; }; }"#,
        #"e() { k=; w; kill -TERM $t 2>/dev/null; n=0"#,
        #"while [ $n -lt 20 ]; do sleep 0.1 2>/dev/null || { sleep 1; n=$((n+9)); }; w; n=$((n+1)); done"#,
        // The observer is spared as long as it can still tell how the command ended.
        #"n=0; while [ $n -lt 20 ]; do [ -n "$u" ] || [ $n -lt 5 ] || u=$t; kill -KILL $u 2>/dev/null;"#
            + #" sleep 0.1 2>/dev/null || sleep 1; w; n=$((n+1)); done"#,
        #"echo "$p signalled"; }"#,
        #"for p do (e) & done; wait"#,
    ].joined(separator: "; ")

    /// Commands that one session stops at once.
    static let maximumBatch = 32

    static func line(processIDs: [Int]) -> String {
        "exec /bin/sh -c '\(script)' sh \(processIDs.map(String.init).joined(separator: " "))"
    }

    /// Reads the script's lines; whatever else the login shell prints is none of them.
    static func verdicts(_ output: String) -> [Int: StopVerdict] {
        var verdicts: [Int: StopVerdict] = [:]
        for line in output.split(whereSeparator: \.isNewline) {
            let words = line.split(separator: " ")
            guard words.count == 2, let pid = Int(words[0]), let verdict = StopVerdict(rawValue: String(words[1]))
            else {
                continue
            }
            verdicts[pid] = verdict
        }
        return verdicts
    }
}
