internal import Glibc

/// Judges who can put files into a directory in which this daemon keeps a file or reads its config.
enum DirectoryOwner {
    /// The directory of a path, by its text.
    static func directory(of path: String) -> String {
        path.lastIndex(of: "/").map { path[..<$0] }.map { $0.isEmpty ? "/" : String($0) } ?? "."
    }

    /// What is wrong with the directory of `path`: another user could rename a file to `path` in it. nil if only this user and
    /// root can do that, or if the directory is sticky.
    static func problem(of path: String) -> String? {
        let directory = directory(of: path)
        var status = stat()
        guard stat(directory, &status) == 0 else {
            return "\(directory), cannot be used: \(String(cString: strerror(errno)))"
        }
        guard status.st_uid == geteuid() || status.st_uid == 0 else {
            return "\(directory), belongs to uid \(status.st_uid); choose one of your own or of root"
        }
        guard status.st_mode & 0o022 == 0 || status.st_mode & S_ISVTX != 0 else {
            return "\(directory), can be written by others and is not sticky; "
                + "choose another one, or run: chmod go-w '\(directory)'"
        }
        return nil
    }
}
