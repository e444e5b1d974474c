internal import IPC

/// The script around every command: a POSIX `sh` that starts the command in the user's login shell, as
/// `ssh host command` would, and tells on the same two streams when it started, as which process, and how it ended.
///
/// Each mark is a record separator (036 octal), the nonce of this call, and:
/// `+` start (with the process id of the observer, which leads the session and process group of the command
/// unless something of the host's starts it without an `exec`),
/// `-` end (on stderr with the shell's exit status, `1` where the shell saw a signal, else `0`, and, where the watchdog ended
/// the command, `0` if it saw that nothing of it is left, `1` if something is, another number if it was itself stopped), `?` the directory cannot be
/// entered, `/` the directory is outside the tree that it must lie in. No mark of the start means that nothing of the command has run, unless the connection was
/// lost with it, or something on the host takes both streams away. Where the mark cannot be written any more, the command does not begin: a start-up
/// file may hold it up for longer than anybody waits for it.
enum Observer {
    static let separator: UInt8 = 0o36

    /// Bytes of the longest line: the kernel's MAX_ARG_STRLEN, execve(2), less room for sshd's own words.
    static let maximumLine = 128 * 1024 - 1024

    /// Arguments: nonce, command, directory, the tree around it, the shell to run it if not the user's, the seconds that it
    /// may run, `TreeStop`'s script, then `NAME=value` for each variable; command, directory, tree and variables `encoded`.
    ///
    /// The variables go through env(1), so that none of them can be one of the script's own.
    ///
    /// The watchdog `w` ends the command when its time is up and nobody else has done so: the daemon may be gone, the
    /// connection lost, or sshd without a session to stop it over. It starts before the traps, which a child keeps until it
    /// has set its own, so that TERM ends it whenever it comes; and its `sleep`, which may not have dropped them, gets KILL.
    /// By USR1 it says that it stops the command; then the end waits for what comes of that.
    ///
    /// The observer outlives TERM by an empty trap, which unlike an ignored signal the command does not inherit. The
    /// shell's remark on a signal ("Killed") is caught in `m`, or goes nowhere, apart from the command's own output on 3 and 4.
    private static let script = [
        #"n=$1 c=$2 d=$3 b=$4 h=${5:-${SHELL:-/bin/sh}} l=$6 k=$7; shift 7"#,
        #"u() { v=; [ -z "$1" ] || { v=$(printf %bx "$1"); v=${v%x}; }; }"#,
        #"u "$d"; [ -z "$v" ] || CDPATH= cd -- "$v" || { printf "\036%s?\n" "$n" >&2; exit 1; }"#,
        // Both as they are without symlinks; a tree that cannot be entered, or is the root directory, holds nothing.
        #"u "$b"; [ -z "$v" ] || { p=$(pwd -P; printf x); b=$(CDPATH= cd -- "$v" && pwd -P; printf x); b=${b%??};"#
            + #" case "$b:${p%??}/" in /:*|x:*) false;; "$b:$b/"*) ;; *) false;; esac || { printf "\036%s/\n" "$n" >&2; exit 1; }; }"#,
        #"u "$c"; c=$v f="#,
        #"(trap "kill -9 \$! ; exit 9" TERM; sleep "$l" & wait $! && kill -USR1 $$ && exec /bin/sh -c "$k" sh w "$$:$n")"#
            + #" </dev/null >/dev/null 2>&1 & w=$! "#,
        #"trap : HUP INT TERM; trap f=1 USR1"#,
        // Nobody listens any more where both are gone.
        #"trap "kill $w 2>/dev/null; exit 1" PIPE; r=; printf "\036%s+%s\n" "$n" "$$" || r=1;"#
            + #" printf "\036%s+%s\n" "$n" "$$" >&2 || [ -z "$r" ] || { kill "$w"; exit 1; }; trap - PIPE"#,
        #"for e do shift; u "$e"; set -- "$@" "$v"; done; [ $# -eq 0 ] || set -- env "$@"; set -- "$@" "$h" -c "$c""#,
        #"exec 3>&1 4>&2"#,
        // ksh93 mixes up a signal to itself with the end of a subshell, but not of a program. It counts 256 + n after signal n.
        #"case "${KSH_VERSION-}" in"#
            + #" Version*) exec 2>/dev/null; /bin/sh -c "exec \"\$@\" >&3 2>&4 3>&- 4>&-" sh "$@" 3>&3 4>&4; s=$? m=0;"#
            + #" [ "$s" -le 256 ] || { s=$((s-128)); m=1; };;"#
            + #" *) m=$(trap : HUP INT TERM; exec 2>&1; (exec "$@" >&3 2>&4 3>&- 4>&-); printf =%s "$?");"#
            + #" s=${m##*=}; m=${m%=*}; m=${m:+1};; esac"#,
        // What a shell remarks on the end of the watchdog goes nowhere.
        #"exec 2>/dev/null; if [ -n "$f" ]; then wait "$w"; w=$?; else kill "$w"; w=; fi"#,
        #"printf "\036%s-\n" "$n"; printf "\036%s-%s %s %s\n" "$n" "$s" "${m:-0}" "$w" >&4"#,
        #"exit "${s:-255}""#,
    ].joined(separator: "; ")

    /// The line for the login shell: nothing in it but plain words and single quotes. The watchdog waits the second that
    /// begins after `limit`, so that whoever waits for that limit is first.
    static func line(
        nonce: String, command: String, directory: String, tree: String = "", inPOSIXShell: Bool = false,
        environment: [String: String], within limit: Duration = .seconds(3600)
    ) -> String {
        let variables = environment.sorted { $0.key < $1.key }.map { ShellWord.encoded("\($0.key)=\($0.value)") }
        let shell = inPOSIXShell ? "/bin/sh" : "''"
        let words =
            [nonce] + [command, directory, tree].map(ShellWord.encoded)
            + [shell, "\(max(1, limit.components.seconds + 1))", "'\(TreeStop.script)'"] + variables
        return "exec /bin/sh -c '\(script)' sh " + words.joined(separator: " ")
    }
}
