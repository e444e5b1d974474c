public import IPC

extension ClientRefusal {
    /// What a client is told that is not served.
    public var sentence: String {
        switch self {
        case .occupied(let socket, let client, let waited):
            "Another client is connected to \(socket): \(client.clause). "
                + "This daemon serves one client at a time, and you have waited \(waited) s for your turn. "
                + "Close the other client, or try again later."
        case .noPlace: "This daemon had no place for you; try again."
        case .noWorker(let failure):
            "claude-ssh-daemon cannot serve you now: \(failure.clause(.worker)). Nothing was run. "
                + "Ask the user to look into the daemon's log, which says how to mend it; then connect again."
        }
    }

    /// What a call is told that waited for the place. Its client stays in line.
    public var sentenceForCall: String {
        switch self {
        case .occupied(let socket, let client, let waited):
            "Nothing was run: another client of \(socket) has the place, \(client.clause). "
                + "This daemon works for one client at a time, and this call has waited \(waited) s. "
                + "This client stays in line: make the call again later, or ask the user to close the other client."
        case .noPlace: "Nothing was run: another client had the place, and has just left. Make the call again."
        case .noWorker: sentence
        }
    }
}

extension ClientInTheWay {
    /// Who it is, as far as this machine knows, and what it says itself.
    fileprivate var clause: String {
        let program = program.isEmpty ? "" : " (\(Self.printable(program, most: 200)))"
        let name = name.isEmpty ? "" : ", which calls itself \"\(Self.printable(name, most: 48))\""
        return "process \(pid)\(program), connected for \(seconds) s\(name)"
    }

    /// A text that another client has chosen, in letters that cannot end a quotation, hide, or look like others.
    private static func printable(_ text: String, most: Int) -> String {
        let plain = text.unicodeScalars.prefix(most).map { scalar -> Character in
            switch scalar {
            case "a"..."z", "A"..."Z", "0"..."9", " ", "-", ".", "_", "/", "+", "@", "(", ")": Character(scalar)
            default: "?"
            }
        }
        return String(plain) + (text.unicodeScalars.count > most ? "…" : "")
    }
}
