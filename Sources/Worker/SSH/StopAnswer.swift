internal import IPC

/// What the script that stops commands says of one.
enum StopAnswer: String, Sendable {
    /// The observer was seen, processes of the command were stopped, and none is left.
    case confirmed
    /// The observer was not seen, or nothing of the command ran beside it. Nothing of what is left was seen to run: by
    /// itself that proves nothing, together with the end that the observer told it does.
    case gone
    /// As `gone`, but a process is there that the command may have left behind.
    case left
    /// Something was still there afterwards, of the command or perhaps of it.
    case signalled

    /// Reads the script's answers, wherever they stand in what the login shell printed. Whoever asked knows the nonces.
    static func answers(_ output: String) -> [ObserverID: StopAnswer] {
        var answers: [ObserverID: StopAnswer] = [:]
        let separator = Unicode.Scalar(ObserverID.separator)
        for mark in output.unicodeScalars.split(separator: separator, omittingEmptySubsequences: false).dropFirst() {
            guard let end = mark.firstIndex(of: "\n") else { continue }
            let words = String(mark[..<end]).split(separator: " ", omittingEmptySubsequences: false)
            guard words.count == 2, let colon = words[0].firstIndex(of: ":"), let id = UInt32(words[0][..<colon]),
                let answer = StopAnswer(rawValue: String(words[1]))
            else { continue }
            let nonce = String(words[0][words[0].index(after: colon)...])
            answers[ObserverID(processID: id, nonce: nonce)] = answer
        }
        return answers
    }
}
