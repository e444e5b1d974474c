import TestSupport

@testable import Exec
@testable import SSH

/// A command under the observer, run by a shell of this machine, and what its marks tell.
struct ObservedRun: Sendable {
    let marks: MarkedStream.Marks
    let stdout: String
    let stderr: String
    let preamble: String
    /// The exit status of the outermost shell.
    let status: Int

    /// - Parameters:
    ///   - interpreter: what stands in for `/bin/sh`.
    ///   - login: the user's shell: it gets the line, and runs the command as `$SHELL`.
    static func of(
        _ command: String, interpreter: LocalShell? = nil, login: LocalShell? = nil, directory: String = "",
        tree: String = "", inPOSIXShell: Bool = false, variables: [String: String] = [:], input: String = "",
        limit: Int = 3600, exports: Bool = false
    ) async throws -> ObservedRun {
        var line = Observer.line(
            nonce: "abc123", command: command, directory: directory, tree: tree, inPOSIXShell: inPOSIXShell,
            environment: variables, within: limit, exports: exports)
        if let interpreter { line = interpreter.interpreting(line) }
        let outer = login?.path ?? "/bin/sh"
        let run = try await LocalRun.of(
            outer, (login?.applet ?? []) + ["-c", line], input: Array(input.utf8),
            // An applet has no path of its own to be $SHELL.
            environment: ["SHELL": login.map { $0.applet.isEmpty ? $0.path : "/bin/sh" } ?? "/bin/sh"])
        var out = MarkedStream(nonce: "abc123", limit: 1 << 20)
        var err = MarkedStream(nonce: "abc123", limit: 1 << 20)
        out.append(run.stdout[...])
        err.append(run.stderr[...])
        out.finish()
        err.finish()
        return ObservedRun(
            marks: err.marks, stdout: out.window.output().text, stderr: err.window.output().text,
            preamble: err.preamble.output().text, status: run.status)
    }
}
