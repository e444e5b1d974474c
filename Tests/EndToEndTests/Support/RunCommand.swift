import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// What a program that has ended left.
struct CommandResult: Sendable {
    let status: ExitStatus
    let stdout: Data
    let stderr: Data

    var succeeded: Bool { status == .exited(0) }

    var outputText: String { String(decoding: stdout, as: UTF8.self) }

    var errorText: String { String(decoding: stderr, as: UTF8.self) }
}

/// Runs a program to its end.
/// - Throws: `HarnessError` when it cannot be started or is not done after `timeout` (it is killed then).
func run(
    _ executable: String, _ arguments: [String], input: Data = Data(),
    environment: [String: String] = ChildProcess.plainEnvironment, account: Account? = nil,
    timeout: Duration = defaultTimeout, sourceLocation: SourceLocation = #_sourceLocation
) throws -> CommandResult {
    // Files, not pipes: nothing can block, and a grandchild that keeps one open does not delay the result.
    let stdin = try UnnamedFile(input)
    let stdout = try UnnamedFile()
    let stderr = try UnnamedFile()
    let child = try ChildProcess(
        executable, arguments, environment: environment, account: account, stdin: .fd(stdin.fd),
        stdout: .fd(stdout.fd), stderr: .fd(stderr.fd))
    let status = try child.waitForExit(timeout: timeout, sourceLocation: sourceLocation)
    return CommandResult(status: status, stdout: try stdout.contents(), stderr: try stderr.contents())
}

/// As `run`, but anything except exit code 0 is an error that shows what the program said.
@discardableResult
func runSuccessfully(
    _ executable: String, _ arguments: [String], sourceLocation: SourceLocation = #_sourceLocation
) throws -> CommandResult {
    let result = try run(executable, arguments, sourceLocation: sourceLocation)
    guard result.succeeded else {
        throw HarnessError(
            "\(executable) \(arguments.joined(separator: " ")): \(result.status)\n\(result.errorText)",
            at: sourceLocation)
    }
    return result
}

/// The absolute path of a program that the tests need.
func findProgram(_ name: String) throws -> String {
    let folders = ["/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/bin", "/usr/local/bin", "/bin"]
    guard let path = folders.map({ folder -> String in "\(folder)/\(name)" }).first(where: { access($0, X_OK) == 0 })
    else {
        throw HarnessError("\(name) is not installed (looked in \(folders.joined(separator: ", ")))")
    }
    return path
}

/// A file without a name, gone with its descriptor.
private final class UnnamedFile {
    let fd: Int32

    init(_ contents: Data = Data()) throws {
        var template = Array("/tmp/csd.XXXXXX\0".utf8CString)
        fd = mkstemp(&template)
        guard fd >= 0, unlink(template) == 0 else { throw HarnessError("mkstemp in /tmp: \(errnoText())") }
        try FileHandle(fileDescriptor: fd, closeOnDealloc: false).write(contentsOf: contents)
        lseek(fd, 0, SEEK_SET)
    }

    deinit { close(fd) }

    func contents() throws -> Data {
        lseek(fd, 0, SEEK_SET)
        return try FileHandle(fileDescriptor: fd, closeOnDealloc: false).readToEnd() ?? Data()
    }
}
