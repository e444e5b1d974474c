internal import IPC

/// The script around every command, called the observer. It is a POSIX `sh` script that starts the command in the user's login
/// shell, as `ssh host command` would. It writes marks to both output streams that tell when the command started, as which
/// process, and how it ended.
///
/// Each mark is a record separator (036 octal), the nonce of this call, one of these characters and a newline:
/// - `+`: the command starts. The process id of the observer follows. The observer leads the session and the process group of
///   the command, unless a program of the host starts the observer without an `exec`.
/// - `-`: the command has ended. On standard error three numbers follow: the shell's exit status; `1` if the shell saw a signal,
///   else `0`; and, if the watchdog ended the command, `0` if it saw that nothing of the command is left, `1` if something is
///   left, and another number if the watchdog itself was stopped.
/// - `?`: the directory cannot be entered.
/// - `/`: the directory is outside the tree in which it must lie.
///
/// If no start mark comes, nothing of the command has run, unless the mark was lost with the connection, or something on the
/// host takes both streams away. The command does not start if its start mark cannot be written: a start-up file may have held
/// it up until nobody waits for it.
enum Observer {
    /// The first byte of each mark.
    static let separator: UInt8 = 0o36

    /// Bytes of the longest line: the kernel's MAX_ARG_STRLEN, execve(2), less 1 KiB for what sshd adds.
    static let maximumLine = 128 * 1024 - 1024

    /// Arguments: the nonce, the command, the directory, the tree around it, the shell for the command (empty for the user's),
    /// the seconds that the command may run, `TreeStop.script`, then `NAME=value` for each variable. The command, the directory,
    /// the tree and the variables are `ShellWord.encoded`.
    ///
    /// The variables go through env(1), so that none of them becomes a variable of this script.
    ///
    /// The watchdog, whose process id is in `w`, ends the command when its time is up. It is there for the case that nobody else
    /// does so: the daemon may have ended, the connection may be lost, or sshd may have no session left for the stop. It is
    /// started before the traps are set, because a child keeps traps until it sets its own: so TERM ends the watchdog at any
    /// moment. Its `sleep` may have kept a trap, and gets KILL. By USR1 the watchdog tells the observer that it stops the
    /// command; the observer then waits for what comes of that.
    ///
    /// An empty trap lets the observer survive TERM. The command does not inherit it, as it would inherit an ignored signal.
    /// What the shell remarks about a signal ("Killed") is caught in `m` or goes to /dev/null, because the command's own output
    /// is on descriptors 3 and 4.
    private static let script = [
        #"n=$1 c=$2 d=$3 b=$4 h=${5:-${SHELL:-/bin/sh}} l=$6 k=$7; shift 7"#,
        #"u() { v=; [ -z "$1" ] || { v=$(printf %bx "$1"); v=${v%x}; }; }"#,
        #"u "$d"; [ -z "$v" ] || CDPATH= cd -- "$v" || { printf "\036%s?\n" "$n" >&2; exit 1; }"#,
        // Both paths are compared without symlinks. No directory is inside a tree that cannot be entered or is `/`.
        #"u "$b"; [ -z "$v" ] || { p=$(pwd -P; printf x); b=$(CDPATH= cd -- "$v" && pwd -P; printf x); b=${b%??};"#
            + #" case "$b:${p%??}/" in /:*|x:*) false;; "$b:$b/"*) ;; *) false;; esac || { printf "\036%s/\n" "$n" >&2; exit 1; }; }"#,
        #"u "$c"; c=$v f="#,
        #"(trap "kill -9 \$! ; exit 9" TERM; sleep "$l" & wait $! && kill -USR1 $$ && exec /bin/sh -c "$k" sh w "$$:$n")"#
            + #" </dev/null >/dev/null 2>&1 & w=$! "#,
        #"trap : HUP INT TERM; trap f=1 USR1"#,
        // If neither stream takes the start mark, nobody listens any more, and the command does not start.
        #"trap "kill $w 2>/dev/null; exit 1" PIPE; r=; printf "\036%s+%s\n" "$n" "$$" || r=1;"#
            + #" printf "\036%s+%s\n" "$n" "$$" >&2 || [ -z "$r" ] || { kill "$w"; exit 1; }; trap - PIPE"#,
        #"for e do shift; u "$e"; set -- "$@" "$v"; done; [ $# -eq 0 ] || set -- env "$@"; set -- "$@" "$h" -c "$c""#,
        #"exec 3>&1 4>&2"#,
        // ksh93 takes a signal to itself for the end of a subshell, but not for the end of a program. After signal n its status
        // is 256 + n.
        #"case "${KSH_VERSION-}" in"#
            + #" Version*) exec 2>/dev/null; /bin/sh -c "exec \"\$@\" >&3 2>&4 3>&- 4>&-" sh "$@" 3>&3 4>&4; s=$? m=0;"#
            + #" [ "$s" -le 256 ] || { s=$((s-128)); m=1; };;"#
            + #" *) m=$(trap : HUP INT TERM; exec 2>&1; (exec "$@" >&3 2>&4 3>&- 4>&-); printf =%s "$?");"#
            + #" s=${m##*=}; m=${m%=*}; m=${m:+1};; esac"#,
        // What a shell remarks about the end of the watchdog goes to /dev/null.
        #"exec 2>/dev/null; if [ -n "$f" ]; then wait "$w"; w=$?; else kill "$w"; w=; fi"#,
        #"printf "\036%s-\n" "$n"; printf "\036%s-%s %s %s\n" "$n" "$s" "${m:-0}" "$w" >&4"#,
        #"exit "${s:-255}""#,
    ].joined(separator: "; ")

    /// The line for the login shell. It consists of plain words and single quotes, which every shell reads alike. The watchdog
    /// waits up to a second longer than `limit`, so that the daemon is first to stop the command.
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
