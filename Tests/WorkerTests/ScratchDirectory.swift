import Glibc
import IPC

/// A new directory below /tmp; removed at the end if it is empty then.
struct ScratchDirectory: ~Copyable {
    let path: String

    init() throws {
        var template = Array("/tmp/csd-unit.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw IPCError.system(call: "mkdtemp", errno: errno) }
        path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        chmod(path, 0o700)
    }

    deinit { rmdir(path) }
}
