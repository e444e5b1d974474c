internal import Glibc

/// How lines look, and which are written.
struct LogStyle: Equatable {
    var format = LogFormat.json
    /// The least severe level that is written.
    var level = LogLevel.info

    /// Whether lines of this level are written.
    func shows(_ level: LogLevel) -> Bool { level.priority <= self.level.priority }

    /// A line, with its newline.
    func line(_ level: LogLevel, _ message: String, _ fields: [(key: String, value: LogValue)]) -> String {
        switch format {
        case .json, .journal:
            let members = fields.map { "\(LogText.quoted($0.key)):\($0.value.json)" }.joined(separator: ",")
            return object(level, message, members)
        case .terminal(let hasColor):
            return TerminalLine(hasColor: hasColor).text(
                level, message, fields.map { ($0.key, TerminalLine.word($0.value)) })
        }
    }

    /// The same with fields that are JSON already, such as `"name":value,…`.
    func line(_ level: LogLevel, _ message: String, members: String) -> String {
        switch format {
        case .json, .journal: object(level, message, members)
        case .terminal(let hasColor):
            TerminalLine(hasColor: hasColor).text(level, message, TerminalLine.words(of: members))
        }
    }

    private func object(_ level: LogLevel, _ message: String, _ members: String) -> String {
        let priority = format == .journal ? "<\(level.priority)>" : ""
        return
            "\(priority){\"time\":\"\(Log.timestamp())\",\"level\":\"\(level.rawValue)\",\"msg\":\(LogText.quoted(message))"
            + (members.isEmpty ? "" : ",") + members + "}\n"
    }
}
