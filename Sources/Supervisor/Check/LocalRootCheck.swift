internal import CLinux
internal import Glibc
internal import IPC

/// Whether transfers can use a directory of `local_roots`.
enum LocalRootCheck {
    static func lines(of path: String, at index: Int) -> [String] {
        let key = "\(Restrictions.localRoots.name)[\(index)]"
        var status = stat()
        guard stat(path, &status) == 0 else {
            let code = errno
            let sentence =
                code == ENOENT
                ? "\(path) does not exist, so no transfer can use it; \(DirectoryOwner.make(path))"
                : "\(path) cannot be used: \(String(cString: strerror(code))); name another one"
            return [ConfigCheck.line(.warning, key, sentence)]
        }
        if let mistake = RootDirectory.mistake(of: path, at: index) { return [ConfigCheck.line(.error, mistake)] }
        guard status.st_mode & S_IFMT == S_IFDIR else { return [] }
        guard faccessat(AT_FDCWD, path, R_OK | X_OK, AT_EACCESS) == 0 else {
            return [
                ConfigCheck.line(
                    .warning, key,
                    "\(path) cannot be read by this user: \(String(cString: strerror(errno))); name another one")
            ]
        }
        guard faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 else {
            return [
                ConfigCheck.line(
                    .note, key,
                    "\(path) cannot be written by this user (\(String(cString: strerror(errno)))): uploads come from there, "
                        + "and no download goes there")
            ]
        }
        return []
    }
}
