import CLinux
import Foundation
import Glibc
import TestSupport

/// A directory on the "remote" host, which is this one, for whoever logs in there.
final class Place {
    let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
        chmod(directory.path, 0o777)
    }

    func file(_ name: String) -> String { directory.file(name) }

    @discardableResult
    func write(_ name: String, _ content: String) throws -> String {
        try Data(content.utf8).write(to: URL(filePath: file(name)))
        chmod(file(name), 0o666)
        return file(name)
    }

    /// A file of zeros that takes no room on the disk.
    @discardableResult
    func makeSparse(_ name: String, size: Int) throws -> String {
        let descriptor = open(file(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0o666)
        defer { close(descriptor) }
        guard descriptor >= 0, ftruncate(descriptor, off_t(size)) == 0 else {
            throw HarnessError("\(name): \(errnoText())")
        }
        chmod(file(name), 0o666)
        return file(name)
    }

    func makeDirectory(_ name: String, mode: mode_t = 0o777) {
        mkdir(file(name), 0o777)
        chmod(file(name), mode)
    }

    func content(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: file(name))), as: UTF8.self)
    }

    var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted() }
    }
}
