internal import Glibc
internal import IPC

/// A tree of `local_roots`: as it is written, where it really was when the broker started, and what lay there. A root may also
/// be a file, or be missing as long as the directory that it is to be in is there.
struct LocalRoot {
    let text: String
    let real: String
    /// The directory that the broker is confined to for it: itself, or else the one that it lies in.
    let anchor: String
    /// Of the anchor; nil where nothing lay there.
    let identity: FileIdentity?
    /// It did not answer when it was last looked at: it is not looked at, and counts as changed.
    let isLeftOut: Bool
    /// It is the root directory, under whatever name: a root that would restrict nothing, so nothing lies in it.
    let isEverything: Bool

    /// Looks at the file system.
    init(_ text: String) {
        self.text = text
        real = RealPath.ofExistingPart(text)
        var status = stat()
        let isDirectory = stat(real, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
        anchor = isDirectory ? real : PathComponents.split(real).directory
        identity = FileIdentity(path: anchor)
        isLeftOut = false
        isEverything = isDirectory && Self.isRootDirectory(real)
    }

    /// Makes a root without looking at the file system.
    init(leftOut text: String) {
        self.text = text
        real = text
        anchor = text
        identity = nil
        isLeftOut = true
        isEverything = false
    }

    /// Whether a path leads to the root directory: by a symlink, by a mount, by a process's root in /proc.
    private static func isRootDirectory(_ path: String) -> Bool {
        guard let root = FileIdentity(path: "/") else { return true }
        return FileIdentity(path: path) == root
    }

    /// Whether a path, by its components as it was asked for, lies in it.
    func contains(_ path: [[UInt8]]) -> Bool {
        path.starts(with: PathComponents.of(text)) || !isEverything && path.starts(with: PathComponents.of(real))
    }

    /// Whether a path without symlinks lies in it.
    func reallyContains(_ path: String) -> Bool {
        !isLeftOut && !isEverything && PathComponents.isInside(path, real)
    }

    /// Whether something else lies there now, at the same real path: a file system was mounted or unmounted, or a directory made
    /// anew. A root that leads elsewhere now, through a link, has not changed: what lies there is refused.
    var hasChanged: Bool {
        if isLeftOut { return true }
        if isEverything { return !Self.isRootDirectory(text) }
        let now = FileIdentity(path: anchor)
        return now != nil && now != identity && RealPath.ofExistingPart(text) == real
    }
}
