internal import IPC

/// The new files that have no name yet, by their handles. They vanish when the broker ends.
struct PendingFiles: ~Copyable {
    /// A class around a value that cannot be copied, so that a dictionary can hold it.
    private final class Box {
        var file: LocalFiles.Pending?
        init(_ file: consuming LocalFiles.Pending) { self.file = consume file }
    }

    private var files: [UInt32: Box] = [:]

    var count: Int { files.count }

    mutating func keep(_ file: consuming LocalFiles.Pending, as handle: UInt32) {
        files[handle] = Box(file)
    }

    mutating func take(_ handle: UInt32) -> LocalFiles.Pending? {
        files.removeValue(forKey: handle)?.file.take()
    }
}
