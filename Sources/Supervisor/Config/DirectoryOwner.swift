internal import CLinux
internal import Glibc
internal import IPC

/// Judges who can put files into a directory in which this daemon keeps a file or reads its config.
enum DirectoryOwner {
    /// The directory of a path, by its text.
    static func directory(of path: String) -> String {
        path.lastIndex(of: "/").map { path[..<$0] }.map { $0.isEmpty ? "/" : String($0) } ?? "."
    }

    /// What is wrong with the directory of `path`: it is missing, or another user could rename a file to `path` in it. nil if only
    /// this user and root can do that, or if the directory is sticky.
    static func problem(of path: String) -> String? {
        let directory = directory(of: path)
        var status = stat()
        guard stat(directory, &status) == 0 else {
            return errno == ENOENT
                ? "\(directory), does not exist; \(make(directory))"
                : "\(directory), cannot be used: \(String(cString: strerror(errno))); name another one"
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { return "\(directory), is no directory; name another one" }
        guard status.st_uid == geteuid() || status.st_uid == 0 else {
            return "\(directory), belongs to uid \(status.st_uid); choose one of your own or of root"
        }
        guard status.st_mode & 0o022 == 0 || status.st_mode & S_ISVTX != 0 else {
            return "\(directory), can be written by others and is not sticky; "
                + "choose another one, or run: chmod go-w \(ShellWord.quoted(directory))"
        }
        return nil
    }

    /// Why this user can make no file in the directory of `path`, which is there; nil if nothing stands in the way that can be seen.
    static func writingProblem(of path: String) -> String? {
        let directory = directory(of: path)
        guard !isWritable(directory) else { return nil }
        let code = errno
        var status = stat()
        let isOwn = stat(directory, &status) == 0 && status.st_uid == geteuid()
        return "\(directory), takes no file from this user: \(String(cString: strerror(code))); choose another one"
            + (isOwn && code == EACCES ? ", or run: chmod u+wx \(ShellWord.quoted(directory))" : "")
    }

    /// How to make a directory that is missing, closed to others.
    static func make(_ directory: String) -> String {
        if isOfLogin(directory) {
            return
                "it is made when you log in (not by su or sudo): log in anew, or run: sudo loginctl enable-linger $(id -un)"
        }
        var above = directory
        var status = stat()
        repeat { above = Self.directory(of: above) } while above != "/" && above != "." && stat(above, &status) != 0
        let rest = "install -d -m 700 "
        return isWritable(above)
            ? "run: \(rest)\(ShellWord.quoted(directory))"
            : "run: sudo \(rest)-o \(geteuid()) -g \(getegid()) \(ShellWord.quoted(directory))"
    }

    /// Whether it belongs to the runtime directory of a user that is missing, pam_systemd(8).
    private static func isOfLogin(_ directory: String) -> Bool {
        let names = directory.split(separator: "/")
        guard names.count >= 3, names[0] == "run", names[1] == "user" else { return false }
        var status = stat()
        return stat("/run/user/\(names[2])", &status) != 0
    }

    private static func isWritable(_ directory: String) -> Bool {
        faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) == 0
    }
}
