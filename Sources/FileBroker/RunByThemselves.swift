internal import Glibc
internal import IPC

/// Files with plain names in plain places that something runs without being asked: closed as long as the user has not said
/// where transfers may go.
enum RunByThemselves {
    private static let endings = [".desktop", ".kdelnk", ".pth"]
    private static let names: Set<String> = ["autorun", "autorun.sh", "sitecustomize.py", "usercustomize.py"]

    /// Why no file may be made at a path, without symlinks; nil where it may.
    static func problem(ofNew path: String) -> String? {
        let name = PathComponents.split(path).name.lowercased()
        guard endings.contains(where: name.hasSuffix) || names.contains(name) else { return nil }
        return "files of that name are run by themselves in some places"
    }

    /// Why a path, without symlinks, is closed because of the directories above it; nil where it is not.
    static func problem(ofDirectoriesAbove path: String) -> String? {
        let found = PathComponents.prefixes(path).dropLast().first { isRepository($0) }
        return found.map { "\($0) looks like a directory of git or Subversion, whose hooks and settings run programs" }
    }

    /// A directory as git and Subversion keep their own data in. It need not be complete: what is missing could be what is
    /// to be made.
    private static func isRepository(_ path: String) -> Bool {
        func has(_ name: String, _ type: mode_t) -> Bool {
            var status = stat()
            return stat("\(path)/\(name)", &status) == 0 && status.st_mode & S_IFMT == type
        }
        // gitrepository-layout(5); a linked worktree has its objects elsewhere.
        if has("objects", S_IFDIR), has("refs", S_IFDIR) || has("HEAD", S_IFREG) { return true }
        if has("HEAD", S_IFREG), has("refs", S_IFDIR) || has("commondir", S_IFREG) { return true }
        return has("db", S_IFDIR) && has("hooks", S_IFDIR) && has("conf", S_IFDIR)
    }
}
