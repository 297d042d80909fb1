//! Which image each service runs, to see when it is another.

use std::collections::{HashMap, HashSet};

use super::container::Container;

/// The image of each service.
#[derive(Debug, Default)]
pub struct Services {
    images: HashMap<(String, String), Image>,
}

#[derive(Debug)]
struct Image {
    id: String,
    name: String,
    /// When the container was made that runs it.
    created: f64,
}

/// The most services that are kept. Beyond it, none is learned: a deployment is then not seen.
const MAX_SERVICES: usize = 10_000;
/// The services that are kept although no container has them any more. One whose old container goes before the new one comes
/// is among them; containers without a name of their own get one that is never seen again.
const KEPT: usize = 1000;

impl Services {
    /// Takes in a container that was started. The image of before, if this is a newer container with another one. One of
    /// several copies that still has the old image is older than the first with the new one.
    pub fn started(&mut self, container: &Container) -> Option<String> {
        let (project, service) = container.service();
        let key = (project.to_owned(), service.to_owned());
        let created = container.created.unwrap_or(0.0);
        let image = Image { id: container.image_id.clone(), name: container.image.clone(), created };
        if container.image_id.is_empty() || key.1.is_empty() {
            return None;
        }
        let room = self.images.len() < MAX_SERVICES;
        match self.images.get_mut(&key) {
            None if room => {
                self.images.insert(key, image);
                None
            }
            Some(known) if created >= known.created => {
                let before = std::mem::replace(known, image);
                (before.id != known.id).then_some(before.name)
            }
            _ => None,
        }
    }

    /// Forgets services beyond those that are kept which none of these containers has, those first whose container was
    /// made first.
    pub fn forget<'a>(&mut self, containers: impl Iterator<Item = &'a Container>) {
        let too_many = self.images.len().saturating_sub(KEPT);
        if too_many == 0 {
            return;
        }
        let alive: HashSet<(&str, &str)> = containers.map(Container::service).collect();
        let gone = self.images.iter().filter(|((project, service), _)| !alive.contains(&(project, service)));
        let mut gone: Vec<_> = gone.map(|(key, image)| (image.created, key.clone())).collect();
        gone.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (_, key) in gone.into_iter().take(too_many) {
            self.images.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(name: &str, image: &str, created: f64) -> Container {
        Container {
            name: name.into(),
            image: format!("{image}:latest"),
            image_id: image.into(),
            created: Some(created),
            labels: [("com.docker.compose.project", "shop"), ("com.docker.compose.service", "web")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
            ..Container::default()
        }
    }

    #[test]
    fn a_new_image_is_one_deployment() {
        let mut services = Services::default();
        assert_eq!(services.started(&container("shop-web-1", "a", 1.0)), None);
        assert_eq!(services.started(&container("shop-web-2", "a", 2.0)), None);
        assert_eq!(services.started(&container("shop-web-1", "b", 3.0)), Some("a:latest".to_owned()));
        // The second copy starts again while the first is new already, and then is made anew as well.
        assert_eq!(services.started(&container("shop-web-2", "a", 2.0)), None);
        assert_eq!(services.started(&container("shop-web-2", "b", 4.0)), None);
        assert_eq!(services.started(&container("shop-web-1", "a", 5.0)), Some("b:latest".to_owned()));
    }

    #[test]
    fn services_that_are_gone_are_forgotten_the_oldest_first() {
        let mut services = Services::default();
        let named = |n: usize| Container { labels: [].into(), ..container(&format!("c{n}"), "a", n as f64) };
        (0..KEPT + 100).for_each(|n| drop(services.started(&named(n))));
        let old = named(0);
        services.forget([&old].into_iter());
        assert_eq!(services.images.len(), KEPT);
        let knows = |n: usize| services.images.contains_key(&(String::new(), format!("c{n}")));
        assert!(knows(0) && !knows(1) && !knows(100) && knows(101) && knows(KEPT + 99));
    }
}
