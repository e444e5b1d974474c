internal import Guard
internal import IPC
internal import JSON
internal import MCP
internal import Policy
internal import SFTP
internal import SSH

/// `ssh_exec`: runs a command in the user's login shell on a host.
enum ExecTool: Tool {
    static let name = "ssh_exec"

    private static let defaultTimeout = 30

    static let needs: [Capability] = [.exec]

    static func description(_ policy: PolicySnapshot) -> ToolDescription {
        let longest = policy.limits.maxTimeoutSeconds
        let isRooted = policy.hosts.contains { $0.baseDir != nil && $0.capabilities.exec }
        return ToolDescription(
            name: name, title: "Run a command",
            description:
                "Runs a command in the login shell of a host (default: the default host). On timeout its processes are "
                + "stopped; \"stopped\" says how surely. Long output keeps head and tail. To leave a process running, "
                + "redirect all its output and put it in the background.",
            inputSchema: [
                "type": "object",
                "properties": [
                    "command": Schema.string(),
                    "host": Schema.host(),
                    "cwd": isRooted
                        ? Schema.string(
                            "Required and confined where a host has base_dir; the command itself can leave it")
                        : Schema.string(),
                    "env": [
                        "type": "object", "additionalProperties": ["type": "string"],
                    ],
                    "stdin": Schema.string(),
                    "timeout_seconds": [
                        "type": "integer", "minimum": 1, "maximum": .integer(Int64(longest)),
                        "description": .string("Default \(min(defaultTimeout, longest))"),
                    ],
                ],
                "required": ["command"], "additionalProperties": false,
            ],
            // Keys that come only sometimes, and those that repeat arguments, explain themselves; the schema allows them.
            outputSchema: Schema.result(
                [
                    "exit_code": Schema.integer("-1 if unknown"), "stdout": Schema.string(), "stderr": Schema.string(),
                    "timed_out": Schema.boolean(),
                    "duration_ms": Schema.integer("Of the command itself, from its start to its end"),
                    InjectionWarning.key: Schema.string(),
                ]),
            readOnly: false, destructive: true, idempotent: false)
    }

    static func call(_ arguments: JSONObject, in context: ToolContext) async -> ToolResult {
        await context.result {
            var (host, request) = try read(arguments, context)
            guard let sessions = context.access[host.name]?.sessions else {
                throw FileFailure(sentence: "There is no host \"\(host.name)\".")
            }
            await expand(&request.directory, on: host, context)
            if context.progress.isWanted {
                request.report = report(to: context.progress, guardian: context.guardian)
            }
            do throws(ExecFailure) {
                let output = try await sessions.run(request)
                context.notes.sent(request.input.count)
                context.notes.received(output.stdout.bytes + output.stderr.bytes)
                var result = shape(output, of: request)
                if let reach = output.unanswered {
                    result["responding"] = false
                    result["hint"] = .string(
                        Failures.unanswered(host, reach, outcome: "Whether the command still runs is unknown."))
                }
                var notes: [String] = []
                if host.baseDir != nil { notes.append("base_dir confines cwd; the command itself could leave it.") }
                if let shell = await otherShell(output, host, sessions) {
                    result["shell"] = .string(shell.path)
                    notes.append(HostFacts.syntax(shell.name))
                }
                if !notes.isEmpty { result["note"] = .string(notes.joined(separator: " ")) }
                return result
            } catch {
                let rule =
                    switch error {
                    case .outside: "base_dir"
                    case .notAllowed(let refusal): refusal.rule.name
                    case .masterDown, .directory, .tooLong, .noSession, .notBegun, .notStarted, .notOpened, .lost,
                        .spawn, .cancelled, .unanswered, .otherUser:
                        ""
                    }
                throw FileFailure(sentence: Failures.sentence(error, host, directory: request.directory), rule: rule)
            }
        }
    }

    /// The exit statuses of shells that do not understand a line.
    private static let statusesOfSyntax: Set<Int> = [1, 2, 125, 126, 127]

    /// The login shell of a command that may have failed by its syntax, where that is not the syntax of sh.
    private static func otherShell(
        _ output: ExecOutput, _ host: PolicySnapshot.Host, _ sessions: HostSessions
    ) async -> (path: String, name: String)? {
        // fish ends with 0 where it does not understand a line.
        let isSyntax = statusesOfSyntax.contains(output.exitCode) || output.stderr.text.hasPrefix("fish: ")
        guard host.execAllowlist == nil, isSyntax, output.stderr.bytes > 0,
            case .known(let identity) = await sessions.identity(), let name = StrangeShell.otherSyntax(identity.shell)
        else { return nil }
        return (identity.shell, name)
    }

    /// Tells how long a command runs, and its last line. Called by a timer, which must not wait for a search.
    static func report(to progress: Progress, guardian: InjectionGuard?) -> @Sendable (Duration, String) -> Void {
        { elapsed, line in
            Task {
                guard let line = await InjectionWarning.marked(line, by: guardian) else { return }
                let seconds = "\(elapsed.components.seconds) s"
                progress.report(
                    Int64(elapsed / .milliseconds(1)), message: line.isEmpty ? seconds : "\(seconds): \(line)")
            }
        }
    }

    /// Arguments, then the host: the first that fails is the answer. The policy is the gate's to judge, next.
    private static func read(
        _ values: JSONObject, _ context: ToolContext
    ) throws(Arguments.Mistake) -> (PolicySnapshot.Host, ExecRequest) {
        let arguments = try Arguments(
            values, tool: name, known: ["command", "host", "cwd", "env", "stdin", "timeout_seconds"])
        let command = try arguments.requiredString("command")
        let directory = try arguments.string("cwd") ?? ""
        let environment = try arguments.environment("env")
        let input = try arguments.string("stdin") ?? ""
        let limits = context.policy.limits
        let timeout =
            try arguments.integer("timeout_seconds", in: 1...max(1, limits.maxTimeoutSeconds), unit: "seconds")
            ?? min(defaultTimeout, limits.maxTimeoutSeconds)
        let host = try context.host(try arguments.string("host"))
        var request = ExecRequest(
            command: command, directory: directory, environment: environment, input: Array(input.utf8),
            timeout: .seconds(timeout), outputLimit: limits.maxOutputBytes)
        if !input.isEmpty, !context.policy.allowDelete {
            request.judgesInput = { () async throws(ExecFailure) in try await judge(input, of: command, on: host) }
        }
        return (host, request)
    }

    /// Names a working directory in the login directory by its absolute path where the host has `base_dir`: that is judged by the
    /// text. Where the host's files are closed, or it does not say, the gate refuses it as it is written.
    private static func expand(
        _ directory: inout String, on host: PolicySnapshot.Host, _ context: ToolContext
    ) async {
        let capabilities = host.capabilities
        guard host.baseDir != nil, RemotePathArgument.isInHome(directory), capabilities.exec,
            capabilities.fileRead || capabilities.fileWrite, let files = context.access[host.name]?.files
        else { return }
        let base = FileAccess(host).base.map { Array($0.utf8) }
        guard let home = try? await RemoteFiles(channel: files, base: base).home(),
            let text = String(validating: home, as: UTF8.self)
        else { return }
        directory = text + directory.dropFirst()
    }

    /// What a shell would read from its standard input is judged here alone, as part of the guard against slips: it goes to the
    /// command through a pipe of this process, and the gate does not see it.
    private static func judge(
        _ input: String, of command: String, on host: PolicySnapshot.Host
    ) async throws(ExecFailure) {
        do {
            try await LongText.compute(on: command.utf8.count + input.utf8.count) { () throws(GateRefusal) in
                try DestructiveCommand.judge(command, input: input, allowed: false, host: host.name)
            }
        } catch let refusal as GateRefusal {
            throw .notAllowed(refusal)
        } catch {
            throw .cancelled(.confirmed)
        }
    }

    private static func shape(_ output: ExecOutput, of request: ExecRequest) -> JSONObject {
        var result: JSONObject = [
            "exit_code": .integer(Int64(output.exitCode)), "stdout": .string(output.stdout.text),
            "stderr": .string(output.stderr.text),
        ]
        if let signal = output.signal { result["signal"] = .string(signal) }
        result["timed_out"] = .bool(output.timedOut)
        if let stopped = output.stopped { result["stopped"] = .string(stopped.rawValue) }
        if output.background { result["background"] = true }
        for (name, stream) in [("stdout", output.stdout), ("stderr", output.stderr)] where stream.truncated {
            result["\(name)_truncated"] = true
            result["\(name)_bytes"] = .integer(Int64(stream.bytes))
        }
        if output.stdout.lossy || output.stderr.lossy { result["lossy"] = true }
        result["duration_ms"] = .integer(Int64(output.duration / .milliseconds(1)))
        result["command"] = .string(request.command)
        result["cwd"] = .string(request.directory)
        return result
    }
}
