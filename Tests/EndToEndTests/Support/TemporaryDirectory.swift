import Foundation

/// A directory `/tmp/csd.XXXXXX`, removed with everything in it by `remove()`, `deinit`, or the end of the process.
///
/// The path is short because a Unix socket path has room for 107 bytes (unix(7)).
final class TemporaryDirectory: Sendable {
    let path: String

    /// - Parameters:
    ///   - readableByAll: mode 0755 instead of 0700, so that another account gets in.
    ///   - owner: the account that is to own it (root only).
    init(readableByAll: Bool = false, owner: Account? = nil) throws {
        var template = Array("/tmp/csd.XXXXXX\0".utf8CString)
        guard mkdtemp(&template) != nil else { throw HarnessError("mkdtemp: \(errnoText())") }
        path = template.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
        CrashCleanup.owe(.directory(path))
        if readableByAll { chmod(path, 0o755) }
        if let owner { chown(path, owner.uid, owner.gid) }
    }

    deinit { remove() }

    /// Removes the directory; the second time does nothing.
    func remove() {
        try? FileManager.default.removeItem(atPath: path)
        CrashCleanup.settle(.directory(path))
    }

    /// The path of an entry.
    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file with exactly this mode, and the owner if one is given; returns its path.
    @discardableResult
    func write(_ name: String, _ contents: Data, mode: mode_t = 0o600, owner: Account? = nil) throws -> String {
        let path = file(name)
        let fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard fd >= 0 else { throw HarnessError("open \(path): \(errnoText())") }
        let handle = FileHandle(fileDescriptor: fd, closeOnDealloc: true)
        try handle.write(contentsOf: contents)
        if let owner { fchown(fd, owner.uid, owner.gid) }
        fchmod(fd, mode)
        try handle.close()
        return path
    }

    @discardableResult
    func write(_ name: String, _ contents: String, mode: mode_t = 0o600, owner: Account? = nil) throws -> String {
        try write(name, Data(contents.utf8), mode: mode, owner: owner)
    }
}

/// The text of `errno` as it is now.
func errnoText() -> String {
    String(cString: strerror(errno))
}
