internal import Glibc
internal import IPC

/// An entry of `local_roots`: its path as it is written, its real path when the broker started, and the identity of what was there.
/// It may also be a file. It may be missing if its directory is there.
struct LocalRoot {
    let text: String
    let real: String
    /// The directory to which the broker is confined for this root: the root itself, or its parent if the root is no directory.
    let anchor: String
    /// The identity of the anchor; nil if nothing was there.
    let identity: FileIdentity?
    /// Whether the root did not answer when a broker last looked at it. Then nobody looks at it, and it counts as changed.
    let isLeftOut: Bool
    /// Whether it is the root directory, by any name. Such a root would restrict nothing, so no file counts as inside it.
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

    /// Makes a root without looking at its file system.
    init(leftOut text: String) {
        self.text = text
        real = text
        anchor = text
        identity = nil
        isLeftOut = true
        isEverything = false
    }

    /// Whether a path leads to the root directory, by a symlink, a mount, or the root of a process in /proc.
    private static func isRootDirectory(_ path: String) -> Bool {
        guard let root = FileIdentity(path: "/") else { return true }
        return FileIdentity(path: path) == root
    }

    /// Whether a path, as it was asked for, is inside the root by its components.
    func contains(_ path: [[UInt8]]) -> Bool {
        path.starts(with: PathComponents.of(text)) || !isEverything && path.starts(with: PathComponents.of(real))
    }

    /// Whether a path without symlinks is inside the root.
    func reallyContains(_ path: String) -> Bool {
        !isLeftOut && !isEverything && PathComponents.isInside(path, real)
    }

    /// Whether another directory is at the same real path now, because a file system was mounted or unmounted or the directory was
    /// made again. If a link now leads the root to another path, that is no such change, and files there are refused.
    var hasChanged: Bool {
        if isLeftOut { return true }
        if isEverything { return !Self.isRootDirectory(text) }
        let now = FileIdentity(path: anchor)
        return now != nil && now != identity && RealPath.ofExistingPart(text) == real
    }
}
