//! An address as a code for the camera of a phone: two rows of it in each line of text.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

/// The code; `None` for an address that is too long for one that fits on a terminal.
pub fn code(address: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(address, EcLevel::L).ok()?;
    if code.width() > MOST {
        return None;
    }
    // Terminals are mostly dark, and cameras want dark on light.
    let render = code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
    Some(render.lines().map(|line| format!("   {line}\n")).collect())
}

/// What fits into 80 columns.
const MOST: usize = 69;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_fits_on_a_terminal_and_a_very_long_one_is_left_out() {
        let address = format!("https://trademe.co.nz/Oauth/Authorize?oauth_token={}", "8C1F".repeat(9));
        let code = code(&address).expect("it fits");
        assert!(
            code.lines().all(|line| line.chars().count() <= 80) && code.lines().count() <= 40,
            "\n{code}"
        );
        assert!(code.contains('█') && code.contains('▄'));
        assert_eq!(super::code(&"x".repeat(2_000)), None);
    }
}
