/// What a gate puts before the first command that it sends over a ControlMaster: whether the user there is the one whom the config
/// names. A worker may find out more of it, and nothing runs meanwhile.
public enum LoginCheck {
    /// The exit status of a session whose user is another one. Nothing has run in it.
    public static let otherUser: UInt32 = 254
}
