import CLinux
import Foundation
import TestSupport

extension TemporaryDirectory {
    /// - Parameter owner: the account that is to own it (root only).
    convenience init(readableByAll: Bool = false, owner: Account?) throws {
        try self.init(readableByAll: readableByAll)
        if let owner { chown(path, owner.uid, owner.gid) }
    }

    /// Writes a file of this account, if one is given; returns its path.
    @discardableResult
    func write(_ name: String, _ contents: Data, mode: mode_t = 0o600, owner: Account?) throws -> String {
        try write(name, contents, mode: mode)
        if let owner { chown(file(name), owner.uid, owner.gid) }
        return file(name)
    }
}

/// The text of `errno` as it is now.
func errnoText() -> String {
    String(cString: strerror(errno))
}
