internal import Glibc

/// What lies at the path of a ControlMaster's socket. This process can open nothing there; it can look.
public enum MasterSocket: Equatable, Sendable {
    /// Nothing, or nothing that this process can see.
    case absent
    /// Nothing, nor is there a directory for it: this one.
    case noDirectory(String)
    /// A socket of this user.
    case own
    /// A socket of another user.
    case foreign(userID: UInt32)
    /// A symbolic link. What it leads to is not told.
    case link
    /// A file, a directory or something else that no ControlMaster has made.
    case other

    /// Looks, without following a symbolic link.
    public static func at(_ path: String) -> MasterSocket {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
            guard errno == ENOENT, !directory.isEmpty, stat(directory, &status) != 0, errno == ENOENT else {
                return .absent
            }
            // A link that leads nowhere is no place where a directory can be made.
            return lstat(directory, &status) == 0 ? .absent : .noDirectory(directory)
        }
        switch status.st_mode & S_IFMT {
        case S_IFSOCK: return status.st_uid == geteuid() ? .own : .foreign(userID: status.st_uid)
        case S_IFLNK: return .link
        default: return .other
        }
    }
}
