public import IPC

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
///
/// The command, what belongs to it, and the script itself come to the observer as environment variables, of which it keeps none:
/// no word of theirs stands in its argument list. `pgrep -f WORD` and `pkill -f WORD` in a command find what they find over
/// plain `ssh`, and not the command that they are part of.
public enum Observer {
    /// Bytes of the longest line: the kernel's MAX_ARG_STRLEN, execve(2), less room for sshd's own words.
    public static let maximumLine = 128 * 1024 - 1024

    /// Arguments: nonce, the shell to run it if not the user's, the seconds that it may run, how many variables. In variables:
    /// `csd_k` `TreeStop`'s script; as `EncodedWord`s `csd_c` the command, `csd_d` the directory, `csd_b` the tree around it,
    /// and `csd_1` and on `NAME=value`. Those names of variables are the command's: they go through env(1), so that none of them can be one
    /// of the script's own.
    ///
    /// The watchdog `w` ends the command when its time is up and nobody else has done so: the daemon may be gone, the
    /// connection lost, or sshd without a session to stop it over. It starts before the traps, which a child keeps until it
    /// has set its own, so that TERM ends it whenever it comes; and its `sleep`, which may not have dropped them, gets KILL.
    /// By USR1 it says that it stops the command; then the end waits for what comes of that.
    ///
    /// The observer outlives TERM by an empty trap, which unlike an ignored signal the command does not inherit. The
    /// shell's remark on a signal ("Killed") is caught in `m`, or goes nowhere, apart from the command's own output on 3 and 4.
    private static let script = [
        #"n=$1 h=${2:-${SHELL:-/bin/sh}} l=$3 a=$4 k=$csd_k; set --"#,
        #"u() { case $1 in e*) v=$(printf %bx "${1#e}"); v=${v%x};; *) v=${1#p};; esac; }"#,
        #"u "$csd_d"; [ -z "$v" ] || CDPATH= cd -- "$v" || { printf "\036%s?\n" "$n" >&2; exit 1; }"#,
        // Both as they are without symlinks; a tree that cannot be entered, or is the root directory, holds nothing.
        #"u "$csd_b"; [ -z "$v" ] || { p=$(pwd -P; printf x); b=$(CDPATH= cd -- "$v" && pwd -P; printf x); b=${b%??};"#
            + #" case "$b:${p%??}/" in /:*|x:*) false;; "$b:$b/"*) ;; *) false;; esac || { printf "\036%s/\n" "$n" >&2; exit 1; }; }"#,
        #"u "$csd_c"; c=$v f= i=0"#,
        #"while [ "$i" -lt "$a" ]; do i=$((i+1)); eval "u \"\$csd_$i\"; unset csd_$i"; set -- "$@" "$v"; done"#,
        #"unset csd_s csd_k csd_c csd_d csd_b"#,
        #"(trap "kill -9 \$! ; exit 9" TERM; sleep "$l" & wait $! && kill -USR1 $$ && exec /bin/sh -c "$k" sh w "$$:$n")"#
            + #" </dev/null >/dev/null 2>&1 & w=$! "#,
        #"trap : HUP INT TERM; trap f=1 USR1"#,
        // Nobody listens any more where both are gone.
        #"trap "kill $w 2>/dev/null; exit 1" PIPE; r=; printf "\036%s+%s\n" "$n" "$$" || r=1;"#
            + #" printf "\036%s+%s\n" "$n" "$$" >&2 || [ -z "$r" ] || { kill "$w"; exit 1; }; trap - PIPE"#,
        #"[ $# -eq 0 ] || set -- env "$@"; set -- "$@" "$h" -c "$c""#,
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

    /// The line that the login shell of a host gets for a command.
    public static func line(for command: GateCommand, on host: PolicySnapshot.Host) -> String {
        line(
            nonce: command.nonce, command: command.command, directory: directory(command.directory),
            tree: host.baseDir ?? "", inPOSIXShell: host.execAllowlist != nil, environment: command.environment,
            within: Int(command.seconds))
    }

    /// Nothing in it but plain words and single quotes. The watchdog waits the second that begins after `limit`, so that whoever
    /// waits for that limit is first.
    static func line(
        nonce: String, command: String, directory: String, tree: String = "", inPOSIXShell: Bool = false,
        environment: [String: String], within limit: Int = 3600
    ) -> String {
        let variables = environment.sorted { $0.key < $1.key }.map { EncodedWord.of("\($0.key)=\($0.value)") }
        let words =
            [("s", "'\(script)'"), ("k", "'\(TreeStop.script)'")]
            + [("c", command), ("d", directory), ("b", tree)].map { ($0, EncodedWord.of($1)) }
            + variables.enumerated().map { ("\($0 + 1)", $1) }
        return "exec /usr/bin/env " + words.map { "csd_\($0)=\($1)" }.joined(separator: " ")
            + " /bin/sh -c 'eval \"$csd_s\"' sh \(nonce) \(inPOSIXShell ? "/bin/sh" : "''") \(limit + 1) \(variables.count)"
    }

    /// Sessions start in the login directory, so `~` needs no expansion there. A relative path must not look like an
    /// option of `cd`, or like its `-`.
    private static func directory(_ path: String) -> String {
        if path == "~" { return "" }
        if path.hasPrefix("~/") { return "./" + path.dropFirst(2) }
        return path.isEmpty || path.hasPrefix("/") ? path : "./" + path
    }
}
