/// `safeguards.allow_delete: false`: commands whose program deletes are refused.
public enum DestructiveCommand {
    private static let programs: Set<Substring> = ["rm", "unlink", "truncate", "shred", "dd"]

    /// Throws where the first word of the command, without its directory, is a deleting program.
    public static func judge(_ command: String, allowed: Bool, host: String) throws(Refusal) {
        guard !allowed, let word = command.split(whereSeparator: \.isWhitespace).first,
            let program = word.split(separator: "/").last, programs.contains(program)
        else { return }
        throw Refusal(
            description:
                "\"\(program)\" deletes data and is refused on \"\(host)\" while safeguards.allow_delete is false. "
                + "If this is really wanted, ask the user to do it or to set safeguards.allow_delete to true.",
            rule: "allow_delete")
    }
}
