internal import Glibc
internal import IPC

/// Files with plain names in plain places that some program runs without being asked. They are closed while the user has not set
/// `local_roots`.
enum RunByThemselves {
    private static let endings = [".desktop", ".kdelnk", ".pth"]
    private static let names: Set<String> = ["autorun", "autorun.sh", "sitecustomize.py", "usercustomize.py"]

    /// Why no file may be made at a path, which has no symlinks; nil if one may.
    static func problem(ofNew path: String) -> String? {
        let name = PathComponents.split(path).name.lowercased()
        guard endings.contains(where: name.hasSuffix) || names.contains(name) else { return nil }
        return "files of that name are run by themselves in some places"
    }

    /// Why a path, which has no symlinks, is closed because of the directories above it; nil if it is not.
    static func problem(ofDirectoriesAbove path: String) -> String? {
        let found = PathComponents.prefixes(path).dropLast().first { isRepository($0) }
        return found.map { "\($0) looks like a directory of git or Subversion, whose hooks and settings run programs" }
    }

    /// Whether a directory looks like one in which git or Subversion keeps its data. Some of its files may be missing, because the
    /// new file may be one of them.
    private static func isRepository(_ path: String) -> Bool {
        func has(_ name: String, _ type: mode_t) -> Bool {
            var status = stat()
            return stat("\(path)/\(name)", &status) == 0 && status.st_mode & S_IFMT == type
        }
        // See gitrepository-layout(5). A linked worktree has its objects in another directory.
        if has("objects", S_IFDIR), has("refs", S_IFDIR) || has("HEAD", S_IFREG) { return true }
        if has("HEAD", S_IFREG), has("refs", S_IFDIR) || has("commondir", S_IFREG) { return true }
        return has("db", S_IFDIR) && has("hooks", S_IFDIR) && has("conf", S_IFDIR)
    }
}
