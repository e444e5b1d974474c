internal import Glibc

/// What lies at the path of a ControlMaster's socket. The sandbox lets this process look there, and open nothing.
public enum MasterSocket: Equatable, Sendable {
    /// Nothing, or nothing that this process can see.
    case absent
    /// Nothing, and the directory of this path is missing as well.
    case noDirectory(String)
    /// A socket of this user.
    case own
    /// A socket of another user.
    case foreign(userID: UInt32)
    /// A symbolic link. It is not followed.
    case link
    /// A file, a directory or something else that no ControlMaster makes.
    case other

    /// Looks at the path, lstat(2).
    public static func at(_ path: String) -> MasterSocket {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
            guard errno == ENOENT, !directory.isEmpty, stat(directory, &status) != 0, errno == ENOENT else {
                return .absent
            }
            // If the directory's path is a link that leads nowhere, no directory can be made there.
            return lstat(directory, &status) == 0 ? .absent : .noDirectory(directory)
        }
        switch status.st_mode & S_IFMT {
        case S_IFSOCK: return status.st_uid == geteuid() ? .own : .foreign(userID: status.st_uid)
        case S_IFLNK: return .link
        default: return .other
        }
    }
}
