internal import IPC

/// What runs on a host without an SFTP subsystem: functions of a POSIX shell that do what an SFTP server does, and the
/// lines that call them. busybox is enough for them.
///
/// Each call answers with a line of the nonce, the call's number and `<`, then its result (if it fails, what the system
/// said), a line feed, and a line of the nonce, the number and a status. The status is `+` if more parts follow, else a
/// code of draft-ietf-secsh-filexfer-02 section 7. Text that start-up files of the login shell print before, between
/// and after answers belongs to none of them. The shell never parses what it reads from files and directories. Names
/// with any byte but NUL go both ways.
enum ShellScript {
    /// Bytes in a block of dd(1).
    static let block: UInt64 = 16_384

    /// The functions, as the first lines that the shell reads.
    /// - Parameter nonce: letters and digits. Whoever knows it could forge the ends of answers.
    static func functions(nonce: String) -> String {
        """
        { set +xv; } 2>/dev/null; LC_ALL=C; export LC_ALL; unset CDPATH ENV BASH_ENV
        N=\(nonce)
        # Begins an answer, or a part of one: number.
        be() { printf '\\n%s %s <\\n' "$N" "$1"; }
        # Answers: number, status. (Some shells know an alias r.)
        re() { printf '\\n%s %s %s\\n' "$N" "$1" "$2"; }
        # Fails: number, path, what the system said.
        f() { printf %s "$3"; case $3 in
        *"ermission denied"*|*"not permitted"*) re "$1" 3;;
        *"o such file"*|*"ot a directory"*|*"oo many levels"*|*"oo many symbolic"*) re "$1" 2;;
        *"name too long"*) re "$1" 5;;
        *"ead-only file"*|*"o space left"*|*"uota exceeded"*) re "$1" 4;;
        *) if [ -d "$2" ] && [ ! -x "$2" ]; then re "$1" 3
        elif [ -e "$2" ] || [ -L "$2" ]; then re "$1" 4; else re "$1" 2; fi;; esac; }
        # Runs the rest of the words: number, path, command.
        x() { i=$1 p=$2; shift 2; if m=$("$@" 2>&1 </dev/null); then re "$i" 0; else f "$i" "$p" "$m"; fi; }
        # Attributes of a path; with a second word, symlinks are followed.
        if case $(stat -c 'x %f' / 2>&1) in 'x 4'*) :;; *) false;; esac; then
        t() { stat ${2:+-L} -c 'x %f %s %u %g %X %Y' -- "$1"; }
        a() { stat -c 'x %f %s %u %g %X %Y' -- "$@" 2>/dev/null; }
        elif case $(stat -f 'x %Xp' / 2>&1) in 'x 4'*) :;; *) false;; esac; then
        t() { stat ${2:+-L} -f 'x %Xp %z %u %g %a %m' -- "$1"; }
        a() { stat -f 'x %Xp %z %u %g %a %m' -- "$@" 2>/dev/null; }
        else
        t() { printf 'l '; ls -nd${2:+L} -- "$1"; }
        a() { :; }
        fi
        s() { if m=$(t "$2" "$3" 2>&1 </dev/null); then printf %s "$m"; re "$1" 0; else f "$1" "$2" "${m#l }"; fi; }
        # Opens for reading, for writing, as a new file: with an umask, and then with a mode of which the own umask takes some away.
        o() { if [ -e "$2" ] && [ ! -f "$2" ]; then f "$1" "$2" 'Not a regular file'
        elif m=$( (: <"$2") 2>&1); then re "$1" 0; else f "$1" "$2" "$m"; fi; }
        w() { if [ ! -f "$2" ]; then f "$1" "$2" 'Not a regular file'
        elif m=$( (: >>"$2") 2>&1); then re "$1" 0; else f "$1" "$2" "$m"; fi; }
        c() { if [ -e "$2" ] || [ -L "$2" ]; then f "$1" "$2" 'File exists'
        elif m=$( (umask ${3:-$(umask)}; set -C; : >"$2") 2>&1 && { [ -z "$4" ] || chmod "$4" -- "$2" 2>&1; }); then re "$1" 0; else f "$1" "$2" "$m"; fi; }
        # Reads blocks: number, path, first block, how many.
        d() { dd if="$2" bs=\(block) skip="$3" count="$4" 2>/dev/null </dev/null && re "$1" 0 || { [ -e "$2" ]; re "$1" $((4-2*$?)); }; }
        # Lists: the names of a part behind each other, each with a NUL, one more NUL, then their attributes.
        b() { be "$I"; printf '%s\\000' "$@"; printf '\\000'; a "$@"; re "$I" +; }
        n() { if m=$( (cd -P -- "$2" && ls . >/dev/null) 2>&1 </dev/null); then
        (I=$1 G=${3:-.* *}; cd -P -- "$2" && set -- && for e in $G; do
        case $e in *'*'*) [ -e "$e" ] || [ -L "$e" ] || continue;; esac
        set -- "$@" "$e"; [ $# -lt 100 ] || { b "$@"; set --; }; done; [ $# -eq 0 ] || b "$@"); re "$1" 0
        else f "$1" "$2" "$m"; fi; }
        # The path without symlinks; only its last part may be missing.
        p() { q=$2 k=0; while [ ! -d "$q" ] && [ -L "$q" ]; do
        k=$((k+1)); [ $k -le 40 ] || { f "$1" "$2" 'Too many levels of symbolic links'; return; }
        m=$(readlink -- "$q" 2>&1 && echo .) || { f "$1" "$2" "$m"; return; }
        m=${m%??}; case $m in /*) q=$m;; *) q=${q%/*}/$m;; esac; done
        l=; g=$q; [ -d "$q" ] || { l=${q##*/}; g=${q%/*}; g=${g:-/}; }
        [ -d "$q" ] || [ -n "$l" ] || { f "$1" "$2" 'Not a directory'; return; }
        if m=$(cd -P -- "$g" 2>&1 && pwd -P && echo .); then m=${m%??}; printf %s "${m%/}${l:+/$l}"
        [ -n "${m%/}$l" ] || printf /; re "$1" 0; else f "$1" "$g" "$m"; fi; }
        k() { if m=$(ls -ldL -- "$2" 2>&1 </dev/null); then printf %.60s "$m"; re "$1" 0; else f "$1" "$2" "$m"; fi; }
        y() { if m=$(readlink -- "$2" 2>&1 </dev/null && echo .); then printf %s "${m%??}"; re "$1" 0; else f "$1" "$2" "$m"; fi; }
        # Removes; gives another name: number, path, new path, command.
        u() { if [ -e "$2" ] || [ -L "$2" ]; then x "$1" "$2" rm -f -- "$2"; else f "$1" "$2" 'No such file or directory'; fi; }
        v() { if [ -d "$3" ]; then f "$1" "$3" 'Is a directory'; else h="$2" j="$3"; i=$1; shift 3; x "$i" "$h" "$@" -- "$h" "$j"; fi; }
        z() { if m=$(df -P -k -- "$2" 2>&1 </dev/null); then printf %s "$m"; re "$1" 0; else f "$1" "$2" "$m"; fi; }
        re 0 0

        """
    }

    /// The line that carries out a request on a path; nil for other requests.
    static func call(_ number: Int, _ request: SFTPRequest) -> [UInt8]? {
        switch request {
        case .open(let path, let flags, let attributes):
            if flags.contains(.exclusive) {
                return line("c", number, path, attributes.permissions.map(creation))
            }
            return line(flags.contains(.write) ? "w" : "o", number, path)
        case .lstat(let path): return line("s", number, path, "")
        case .stat(let path): return line("s", number, path, "L")
        case .opendir(let path, _): return line("x", number, path, "test -d", path)
        case .remove(let path): return line("u", number, path)
        case .mkdir(let path, let attributes):
            let mode = attributes.permissions.map { "-m \(String($0 & 0o7777, radix: 8)) " } ?? ""
            return line("x", number, path, "mkdir \(mode)--", path)
        case .rmdir(let path): return line("x", number, path, "rmdir --", path)
        case .realpath(let path) where path == [UInt8(ascii: ".")]:
            // The shell may have left the login directory: a start-up file can do that.
            return Array("be \(number); p \(number) \"${HOME:-.}\"\n".utf8)
        case .realpath(let path): return line("p", number, path)
        case .readlink(let path): return line("y", number, path)
        case .ties(let path): return line("k", number, path)
        case .posixRename(let old, let new): return line("v", number, old, new, "mv -f")
        case .hardlink(let old, let new): return line("v", number, old, new, "ln")
        case .statvfs(let path): return line("z", number, path)
        case .close, .read, .write, .fstat, .fsetstat, .readdir, .limits, .fsync: return nil
        }
    }

    /// The umask for a new file, and how chmod(1) then takes away what the shell's own umask does: without a letter for whose
    /// they are, `=rwx` gives only bits that are not in the umask, POSIX chmod. The rest is taken from all whose they are not. Mode 0600
    /// is for files that nobody else may see while they are written, whatever the umask is.
    private static func creation(_ mode: UInt32) -> String {
        let withheld = [("u", 6), ("g", 3), ("o", 0)].map { who, shift in
            let bits = zip("rwx", [UInt32(4), 2, 1]).filter { mode >> UInt32(shift) & $0.1 == 0 }
            return bits.isEmpty ? "" : ",\(who)-" + String(bits.map(\.0))
        }
        let mask = String(0o777 & ~mode, radix: 8)
        return mode == 0o600 ? mask : mask + " '=rwx" + withheld.joined() + "'"
    }

    static func read(_ number: Int, _ path: [UInt8], firstBlock: UInt64, blocks: UInt64) -> [UInt8] {
        line("d", number, path, "\(firstBlock) \(blocks)")
    }

    static func list(_ number: Int, _ path: [UInt8], temporaries: Bool) -> [UInt8] {
        line("n", number, path, temporaries ? "'\(RemotePath.temporaries)'" : nil)
    }

    /// Makes a line from the number of its call.
    typealias Line = @Sendable (_ number: Int) -> [UInt8]

    /// The lines that set attributes, to be sent one after the other.
    static func settings(_ attributes: SFTPAttributes, of path: [UInt8]) -> [Line] {
        var lines: [Line] = []
        if let size = attributes.size {
            lines.append { line("x", $0, path, "dd if=/dev/null bs=1 count=0 seek=\(size)", prefix: "of=", path) }
        }
        if let owner = attributes.owner {
            lines.append { line("x", $0, path, "chown \(owner.user):\(owner.group) --", path) }
        }
        if let permissions = attributes.permissions {
            lines.append { line("x", $0, path, "chmod \(String(permissions & 0o7777, radix: 8)) --", path) }
        }
        return lines
    }

    private static func line(
        _ function: String, _ number: Int, _ path: [UInt8], _ words: String? = nil, prefix: String = "",
        _ second: [UInt8]? = nil
    ) -> [UInt8] {
        var line = Array("be \(number); \(function) \(number) ".utf8) + ShellWord.quoted(path)
        if let words { line += Array((words.isEmpty ? " ''" : " \(words)").utf8) }
        if let second { line += Array(" \(prefix)".utf8) + ShellWord.quoted(second) }
        return line + [UInt8(ascii: "\n")]
    }

    private static func line(
        _ function: String, _ number: Int, _ first: [UInt8], _ second: [UInt8], _ words: String
    ) -> [UInt8] {
        Array("be \(number); \(function) \(number) ".utf8) + ShellWord.quoted(first) + Array(" ".utf8)
            + ShellWord.quoted(second)
            + Array(" \(words)\n".utf8)
    }
}
